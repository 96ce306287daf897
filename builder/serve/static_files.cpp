#include "builder/serve/static_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <tuple>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::serve {
namespace {

constexpr const char* kSumsFile = "SHA256SUMS";
constexpr std::uint64_t kMaxSums = 64 << 20;
constexpr std::size_t kHexDigits = 64;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kBinary = "application/octet-stream";
constexpr std::array kTypes{
    std::pair<std::string_view, std::string_view>{".html", "text/html; charset=utf-8"},
    std::pair<std::string_view, std::string_view>{".json", "application/json"},
    std::pair<std::string_view, std::string_view>{".yaml", "application/yaml"},
    std::pair<std::string_view, std::string_view>{".xml", "application/xml"},
    std::pair<std::string_view, std::string_view>{".bmap", "application/xml"},
    std::pair<std::string_view, std::string_view>{".png", "image/png"},
    std::pair<std::string_view, std::string_view>{".asc", kText},
    std::pair<std::string_view, std::string_view>{".sjson", kText},
    std::pair<std::string_view, std::string_view>{".minisig", kText},
    std::pair<std::string_view, std::string_view>{".pub", kText},
    std::pair<std::string_view, std::string_view>{".log", kText},
    std::pair<std::string_view, std::string_view>{".txt", kText},
    std::pair<std::string_view, std::string_view>{".ipxe", kText},
    std::pair<std::string_view, std::string_view>{"SHA256SUMS", kText},
    std::pair<std::string_view, std::string_view>{"index", kText},
    std::pair<std::string_view, std::string_view>{".xz", "application/x-xz"},
    std::pair<std::string_view, std::string_view>{".zst", "application/zstd"},
    std::pair<std::string_view, std::string_view>{".tar", "application/x-tar"},
};

core::Fd open_beneath(int root, const std::string& path) {
  struct open_how how {};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return core::Fd(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how)));
}

/// Where a descriptor leads, links followed.
std::string place_of(int fd) {
  std::string text(PATH_MAX, '\0');
  const ssize_t size = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), text.data(), text.size());
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return text;
}

/// Whether a part of the path below the root begins with a dot, also when links hid that.
bool is_hidden(int root, int file) {
  return place_of(file).find("/.", place_of(root).size()) != std::string::npos;
}

std::string text_of(int fd, std::uint64_t limit) {
  std::string text;
  std::array<std::byte, 1 << 16> buffer;
  while (const std::size_t n = core::read_some(fd, buffer, kSumsFile)) {
    text.append(reinterpret_cast<const char*>(buffer.data()), n);
    if (text.size() > limit) return {};
  }
  return text;
}

}  // namespace

std::string_view content_type_of(std::string_view name) {
  for (const auto& [suffix, type] : kTypes) {
    const bool whole = !suffix.starts_with('.');
    if (whole ? name == suffix || name.ends_with("/" + std::string(suffix)) : name.ends_with(suffix))
      return type;
  }
  return kBinary;
}

void StaticFiles::read_sums(int root) {
  const core::Fd fd = open_beneath(root, kSumsFile);
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    sums_.clear();
    sums_identity_.clear();
    return;
  }
  const std::string identity = fmt::format("{}:{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_size,
                                           status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  if (identity == sums_identity_) return;
  sums_.clear();
  sums_identity_ = identity;
  sums_seconds_ = status.st_mtim.tv_sec;
  sums_nanoseconds_ = status.st_mtim.tv_nsec;
  for (const std::string& line : core::split(text_of(fd.get(), kMaxSums), '\n')) {
    if (line.size() > kHexDigits + 2 && line.compare(kHexDigits, 2, "  ") == 0)
      sums_[line.substr(kHexDigits + 2)] = line.substr(0, kHexDigits);
  }
}

std::string StaticFiles::etag_of(const std::string& path, const struct stat& status) const {
  const auto known = sums_.find(path);
  const bool unchanged =
      std::tuple(std::int64_t{status.st_mtim.tv_sec}, std::int64_t{status.st_mtim.tv_nsec}) <=
      std::tuple(sums_seconds_, sums_nanoseconds_);
  if (known != sums_.end() && unchanged &&
      known->second.find_first_not_of("0123456789abcdef") == std::string::npos)
    return "\"" + known->second + "\"";
  return fmt::format("\"{:x}-{:x}.{:x}-{:x}\"", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ino);
}

Lookup StaticFiles::open(const std::string& path, OpenFile& file) {
  const core::Fd root(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return Lookup::kMissing;
  core::Fd fd = open_beneath(root.get(), path);
  if (!fd && errno == ENOSYS)
    throw core::Error(core::Kind::kMachine, "the kernel has no openat2: Linux 5.6 or later is needed");
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0 || is_hidden(root.get(), fd.get())) return Lookup::kMissing;
  if (S_ISDIR(status.st_mode)) return Lookup::kFolder;
  if (!S_ISREG(status.st_mode)) return Lookup::kMissing;
  read_sums(root.get());
  file.fd = std::move(fd);
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.modified = status.st_mtim.tv_sec;
  file.etag = etag_of(path, status);
  file.content_type = content_type_of(path);
  return Lookup::kFound;
}

}  // namespace imgforge::serve
