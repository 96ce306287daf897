#include "artifacts/blobs/blob_collector.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kHexDigits = 64;
constexpr std::chrono::seconds kPatience{60};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

core::Fd open_lock(const fs::path& root) {
  return core::open_file(root / ".lock", O_RDONLY | O_CREAT | O_NOFOLLOW, 0644);
}

/// " (process 12, 34)": who holds a lock on the file, from /proc/locks; empty when that says nothing.
std::string holders_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return "";
  std::ifstream locks("/proc/locks");
  std::vector<std::string> found;
  for (std::string line; std::getline(locks, line);) {
    // 1: FLOCK  ADVISORY  READ 1234 08:01:5678 0 EOF
    std::istringstream words(line);
    std::string number, type, mode, access, pid, file;
    words >> number >> type >> mode >> access >> pid >> file;
    const std::size_t colon = file.rfind(':');
    if (type != "FLOCK" || colon == std::string::npos) continue;
    if (file.substr(colon + 1) == std::to_string(status.st_ino) && pid != std::to_string(::getpid()))
      found.push_back(pid);
  }
  return found.empty() ? "" : " (process " + core::join(found, ", ") + ")";
}

class Collector {
 public:
  Collector(const fs::path& root, const CollectorOptions& options) : root_(root), options_(options) {}

  CollectorResult run() {
    std::error_code error;
    for (const auto& folder : fs::directory_iterator(root_ / "sha256", error)) {
      const std::string prefix = folder.path().filename();
      if (prefix.size() != 2 || !std::all_of(prefix.begin(), prefix.end(), is_hex)) continue;
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(folder.path(), ignored)) {
        const std::string hex = prefix + entry.path().filename().native();
        if (hex.size() != kHexDigits || !std::all_of(hex.begin(), hex.end(), is_hex)) continue;
        options_.needed.contains(hex) ? keep(entry.path()) : take(entry.path(), "not needed");
      }
    }
    for (const auto& entry : fs::directory_iterator(root_ / "quarantine", error))
      take(entry.path(), "damaged");
    // With the lock nobody is left who could finish these.
    for (const auto& entry : fs::directory_iterator(root_ / "staging", error))
      take(entry.path(), "unfinished");
    std::sort(result_.files.begin(), result_.files.end(),
              [](const CollectedFile& a, const CollectedFile& b) { return a.path < b.path; });
    return std::move(result_);
  }

 private:
  static std::uint64_t stored(const struct stat& status) {
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  void keep(const fs::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0) result_.kept_bytes += stored(status);
    ++result_.kept;
  }
  void take(const fs::path& path, const char* why) {
    options_.cancel.check();
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return;
    const core::UnixTime changed{std::chrono::seconds(status.st_mtim.tv_sec)};
    if (options_.older_than && changed >= *options_.older_than) return keep(path);
    CollectedFile file{path, stored(status), why};
    if (S_ISDIR(status.st_mode)) {
      std::error_code error;
      for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
        struct stat inner {};
        if (::lstat(entry.path().c_str(), &inner) == 0) file.stored += stored(inner);
      }
    }
    if (options_.apply) {
      std::error_code error;
      fs::remove_all(path, error);
      if (error) throw core::system_error(error.value(), "cannot remove", path.native());
    }
    result_.files.push_back(std::move(file));
  }

  const fs::path& root_;
  const CollectorOptions& options_;
  CollectorResult result_;
};

}  // namespace

core::Fd lock_blobs_shared(const fs::path& root) {
  core::Fd fd = open_lock(root);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR)
      throw core::system_error(errno, "cannot lock", (root / ".lock").native());
    if (std::chrono::steady_clock::now() >= deadline) {
      throw Error(Kind::kLocked, "imgforge gc" + holders_of(fd.get()) + " is working on " + root.native())
          .hint("wait until it has finished");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fd;
}

core::Fd lock_blobs_alone(const fs::path& root) {
  core::Fd fd = open_lock(root);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw core::system_error(errno, "cannot lock", (root / ".lock").native());
    throw Error(Kind::kLocked, "another imgforge" + holders_of(fd.get()) + " is using " + root.native())
        .hint("wait until it has finished");
  }
  return fd;
}

CollectorResult collect_blobs(const fs::path& root, const CollectorOptions& options) {
  return Collector(root, options).run();
}

void add_digests(std::string_view text, std::set<std::string>& digests) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin;
    while (end < text.size() && is_hex(text[end])) ++end;
    if (end - begin == kHexDigits) digests.emplace(text.substr(begin, kHexDigits));
    begin = end + 1;
  }
}

}  // namespace imgforge::artifacts
