#include "builder/image/boot/cpio.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "core/error.hpp"

namespace imgforge::image {
namespace {

constexpr std::size_t kMaxFile = 0x7FFFFFFF;

void pad(std::string& out) {
  out.append((4 - out.size() % 4) % 4, '\0');
}

}  // namespace

void CpioWriter::directory(std::string_view path, std::uint32_t mode) {
  entry(path, S_IFDIR | mode, {});
}

void CpioWriter::file(std::string_view path, std::string_view content, std::uint32_t mode) {
  if (content.size() > kMaxFile) {
    throw core::Error(core::Kind::kImage, fmt::format("{} is too large for an initramfs", path));
  }
  entry(path, S_IFREG | mode, content);
}

void CpioWriter::symlink(std::string_view path, std::string_view target) {
  entry(path, S_IFLNK | 0777, target);
}

void CpioWriter::character_device(std::string_view path, std::uint32_t mode, std::uint32_t major,
                                  std::uint32_t minor) {
  entry(path, S_IFCHR | mode, {}, major, minor);
}

void CpioWriter::entry(std::string_view path, std::uint32_t mode, std::string_view content,
                       std::uint32_t major, std::uint32_t minor) {
  const unsigned links = S_ISDIR(mode) ? 2 : 1;
  // magic, ino, mode, uid, gid, nlink, mtime, filesize, dev (2), rdev (2), namesize, check
  out_ += fmt::format("070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}",
                      ++inode_, mode, 0, 0, links, 0, content.size(), 0, 0, major, minor, path.size() + 1, 0);
  out_.append(path);
  out_.push_back('\0');
  pad(out_);
  out_.append(content);
  pad(out_);
}

std::string CpioWriter::finish() {
  inode_ = 0xFFFFFFFF;  // the trailer is inode 0
  entry("TRAILER!!!", 0, {});
  out_.append((512 - out_.size() % 512) % 512, '\0');
  inode_ = 0;
  return std::exchange(out_, {});
}

}  // namespace imgforge::image
