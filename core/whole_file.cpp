#include "core/whole_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::core {
namespace {

constexpr std::uint64_t kBlock = 256 << 10;

using Take = std::function<void(std::span<const std::byte>)>;

void take_zeros(std::uint64_t count, const Take& take) {
  static const std::array<std::byte, 64 << 10> zeros{};
  while (count > 0) {
    CancelToken::check_signals();
    const std::uint64_t part = std::min<std::uint64_t>(zeros.size(), count);
    take(std::span(zeros).first(part));
    count -= part;
  }
}

/// Where the next data begins; the end of the file when there is none. A file system that knows no holes has
/// data everywhere.
std::uint64_t next_data(int fd, std::uint64_t at, std::string_view name) {
  const off_t data = ::lseek(fd, static_cast<off_t>(at), SEEK_DATA);
  if (data >= 0) return static_cast<std::uint64_t>(data);
  return errno == ENXIO ? std::max(at, file_size(fd, name)) : at;
}

std::uint64_t next_hole(int fd, std::uint64_t at) {
  const off_t hole = ::lseek(fd, static_cast<off_t>(at), SEEK_HOLE);
  return hole > static_cast<off_t>(at) ? static_cast<std::uint64_t>(hole) : UINT64_MAX;
}

}  // namespace

std::uint64_t read_whole(int fd, std::string_view name, const Take& take) {
  std::vector<std::byte> buffer(std::clamp<std::uint64_t>(file_size(fd, name) + 1, 4 << 10, kBlock));
  std::uint64_t at = 0;
  while (true) {
    const std::uint64_t data = next_data(fd, at, name);
    take_zeros(data - at, take);
    at = data;
    const std::uint64_t hole = next_hole(fd, at);
    if (::lseek(fd, static_cast<off_t>(at), SEEK_SET) < 0) throw system_error(errno, "cannot seek in", name);
    while (at < hole) {
      CancelToken::check_signals();
      const std::uint64_t want = std::min<std::uint64_t>(buffer.size(), hole - at);
      const std::size_t n = read_some(fd, std::span(buffer).first(want), name);
      if (n == 0) return at;
      take(std::span<const std::byte>(buffer).first(n));
      at += n;
    }
  }
}

}  // namespace imgforge::core
