// The system calls that programs for the target make, straight to the kernel: they are linked with no
// library. x86-64 ABI: number in rax, arguments in rdi, rsi, rdx, r10; a result from -4095 to -1 is a
// negative error number.
#pragma once

#include <cstddef>
#include <cstdint>

namespace imgforge::target {

inline long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result;
  register long fourth asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
               : "rcx", "r11", "memory");
  return result;
}

/// A pointer as the kernel takes it.
inline long address(const void* pointer) {
  return static_cast<long>(reinterpret_cast<std::uintptr_t>(pointer));
}

/// struct stat of the x86-64 kernel ABI.
struct FileStatus {
  std::uint64_t device;
  std::uint64_t inode;
  std::uint64_t links;
  std::uint32_t mode;
  std::uint32_t user;
  std::uint32_t group;
  std::uint32_t padding;
  std::uint64_t special_device;  ///< which device a device node stands for
  std::int64_t size;
  std::int64_t rest[11];
};
static_assert(sizeof(FileStatus) == 144);

inline constexpr int kReadOnly = 0;
inline constexpr int kReadWrite = 2;
inline constexpr int kStandardError = 2;
inline constexpr std::uint32_t kTypeMask = 0170000;
inline constexpr std::uint32_t kRegularFile = 0100000;
inline constexpr std::uint32_t kBlockDevice = 0060000;

inline long sys_open(const char* path, int flags) {
  return system_call(2, address(path), flags);
}
inline long sys_close(int fd) {
  return system_call(3, fd);
}
inline long sys_write(int fd, const void* data, std::size_t size) {
  return system_call(1, fd, address(data), static_cast<long>(size));
}
inline long sys_pread(int fd, void* data, std::size_t size, std::uint64_t offset) {
  return system_call(17, fd, address(data), static_cast<long>(size), static_cast<long>(offset));
}
inline long sys_pwrite(int fd, const void* data, std::size_t size, std::uint64_t offset) {
  return system_call(18, fd, address(data), static_cast<long>(size), static_cast<long>(offset));
}
inline long sys_fstat(int fd, FileStatus& status) {
  return system_call(5, fd, address(&status));
}
inline long sys_ioctl(int fd, unsigned long request, const void* argument) {
  return system_call(16, fd, static_cast<long>(request), address(argument));
}
inline long sys_fsync(int fd) {
  return system_call(74, fd);
}
inline long sys_exists(const char* path) {
  return system_call(21, address(path), 0);  // access(path, F_OK)
}
inline long sys_unlink(const char* path) {
  return system_call(87, address(path));
}
inline long sys_symlink(const char* target, const char* path) {
  return system_call(88, address(target), address(path));
}
inline long sys_make_node(const char* path, std::uint32_t mode, std::uint32_t device) {
  return system_call(133, address(path), static_cast<long>(mode), static_cast<long>(device));
}
[[noreturn]] inline void sys_exit(int code) {
  for (;;) system_call(231, code);  // exit_group
}

}  // namespace imgforge::target
