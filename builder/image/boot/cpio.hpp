// Writes a cpio archive of the "newc" kind, the one that the kernel unpacks as initramfs (kernel
// documentation, "initramfs buffer format"). Deterministic: inode numbers are counted, times are 0, all is
// root's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace imgforge::image {

class CpioWriter {
 public:
  /// Paths are relative ("bin/sh"); parents must be added before.
  void directory(std::string_view path, std::uint32_t mode = 0755);
  void file(std::string_view path, std::string_view content, std::uint32_t mode);
  void symlink(std::string_view path, std::string_view target);
  void character_device(std::string_view path, std::uint32_t mode, std::uint32_t major, std::uint32_t minor);
  /// Ends the archive and returns it; the writer is empty afterwards.
  std::string finish();

 private:
  void entry(std::string_view path, std::uint32_t mode, std::string_view content, std::uint32_t major = 0,
             std::uint32_t minor = 0);
  std::string out_;
  std::uint32_t inode_ = 0;
};

}  // namespace imgforge::image
