// Disks, partitions and files that stand for them: opened, measured, read and written whole, or the program
// fails with the reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgforge::target {

enum class Access { kRead, kReadWrite };
enum class DeviceKind { kBlock, kFile };

class Device {
 public:
  Device(const char* path, Access access);
  ~Device() = default;  // the program ends soon
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const char* path() const { return path_; }
  int fd() const { return fd_; }
  DeviceKind kind() const { return kind_; }
  std::uint64_t size() const { return size_; }  ///< bytes
  /// Number of the device that a device node stands for; 0 for a file.
  std::uint64_t number() const { return number_; }
  /// Bytes of a logical sector; 512 for a file.
  unsigned sector_size() const;

  void read(void* target, std::size_t size, std::uint64_t offset) const;
  void write(const void* source, std::size_t size, std::uint64_t offset) const;
  /// Returns when what was written is on the medium.
  void sync() const;

 private:
  const char* path_;
  int fd_;
  DeviceKind kind_ = DeviceKind::kFile;
  std::uint64_t size_ = 0;
  std::uint64_t number_ = 0;
};

}  // namespace imgforge::target
