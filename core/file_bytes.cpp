#include "core/file_bytes.hpp"

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

std::size_t read_once(int fd, std::string_view name, std::uint64_t offset, std::span<std::byte> buffer) {
  while (true) {
    const ssize_t n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw system_error(errno, "cannot read", name);
  }
}

void take_zeros(std::uint64_t count, const TakeBytes& take) {
  static const std::array<std::byte, 64 << 10> zeros{};
  while (count > 0) {
    CancelToken::check_signals();
    const std::uint64_t part = std::min<std::uint64_t>(zeros.size(), count);
    take(std::span(zeros).first(part));
    count -= part;
  }
}

}  // namespace

std::optional<DataRun> next_data(int fd, std::string_view name, std::uint64_t offset, std::uint64_t end) {
  CancelToken::check_signals();
  end = std::min(end, file_size(fd, name));
  if (offset >= end) return std::nullopt;
  const off_t data = ::lseek(fd, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0 && errno == ENXIO) return std::nullopt;
  const std::uint64_t begin = data < 0 ? offset : static_cast<std::uint64_t>(data);
  if (begin >= end) return std::nullopt;
  const off_t hole = ::lseek(fd, static_cast<off_t>(begin), SEEK_HOLE);
  const bool known = hole > static_cast<off_t>(begin);
  return DataRun{begin, known ? std::min(end, static_cast<std::uint64_t>(hole)) : end};
}

std::uint64_t read_range(int fd, std::string_view name, std::uint64_t offset, std::uint64_t size,
                         const TakeBytes& take) {
  const std::uint64_t end =
      std::min(file_size(fd, name), size > UINT64_MAX - offset ? UINT64_MAX : offset + size);
  std::vector<std::byte> buffer(std::clamp<std::uint64_t>(end - std::min(offset, end), 1, kBlock));
  std::uint64_t at = offset;
  while (at < end) {
    const std::optional<DataRun> run = next_data(fd, name, at, end);
    const std::uint64_t hole_end = run ? run->begin : std::max(at, std::min(end, file_size(fd, name)));
    take_zeros(hole_end - at, take);
    at = hole_end;
    if (!run) break;
    while (at < run->end) {
      CancelToken::check_signals();
      const std::uint64_t want = std::min<std::uint64_t>(buffer.size(), run->end - at);
      const std::size_t n = read_once(fd, name, at, std::span(buffer).first(want));
      if (n == 0) return at - offset;
      take(std::span<const std::byte>(buffer).first(n));
      at += n;
    }
  }
  return at - offset;
}

std::uint64_t read_whole(int fd, std::string_view name, const TakeBytes& take) {
  std::uint64_t at = 0;
  while (const std::uint64_t n = read_range(fd, name, at, UINT64_MAX, take))
    at += n;  // it may grow meanwhile
  return at;
}

std::size_t read_at(int fd, std::string_view name, std::uint64_t offset, std::span<std::byte> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t n = read_once(fd, name, offset + filled, buffer.subspan(filled));
    if (n == 0) break;
    filled += n;
  }
  return filled;
}

}  // namespace imgforge::core
