#include "core/temp_dir.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <system_error>

#include "core/error.hpp"
#include "core/random.hpp"

namespace imgforge::core {
namespace {

constexpr const char* kOwnerFile = ".owner";
constexpr std::size_t kRandomBytes = 6;

void remove_quietly(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

/// Process id in "<prefix>.<pid>.<12 hex digits>"; 0 for any other name.
pid_t owner_in_name(std::string_view name) {
  const auto last = name.rfind('.');
  if (last == std::string_view::npos || name.size() - last - 1 != 2 * kRandomBytes) return 0;
  const auto first = name.rfind('.', last - 1);
  if (last == 0 || first == std::string_view::npos) return 0;
  pid_t pid = 0;
  std::from_chars(name.data() + first + 1, name.data() + last, pid);
  return pid;
}

/// A dead process owns nothing. While one with that number lives, only a free lock on an old folder says that
/// it is another one: a new folder may not have been locked yet.
bool is_abandoned(const std::filesystem::path& folder) {
  const pid_t pid = owner_in_name(folder.filename().native());
  if (pid <= 0) return false;
  if (::kill(pid, 0) != 0 && errno == ESRCH) return true;
  const Fd owner(::open((folder / kOwnerFile).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!owner || ::fstat(owner.get(), &status) != 0 || ::time(nullptr) - status.st_mtime < 60) return false;
  return ::flock(owner.get(), LOCK_EX | LOCK_NB) == 0;
}

}  // namespace

TempDir::TempDir(const std::filesystem::path& parent, std::string_view prefix) {
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  if (error) throw system_error(error.value(), "cannot create", parent.native());
  path_ = parent / (std::string(prefix) + "." + std::to_string(::getpid()) + "." + random_hex(kRandomBytes));
  if (::mkdir(path_.c_str(), 0700) != 0) throw system_error(errno, "cannot create", path_.native());
  owner_ = open_file(path_ / kOwnerFile, O_RDWR | O_CREAT | O_EXCL, 0600);
  ::flock(owner_.get(), LOCK_EX | LOCK_NB);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)), owner_(std::move(other.owner_)) {
  other.path_.clear();
}

TempDir::~TempDir() {
  if (!path_.empty()) remove_quietly(path_);
}

void TempDir::clear() noexcept {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (entry.path().filename() != kOwnerFile) remove_quietly(entry.path());
  }
}

int TempDir::reclaim(const std::filesystem::path& parent) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    if (!is_abandoned(entry.path())) continue;
    remove_quietly(entry.path());
    ++removed;
  }
  return removed;
}

}  // namespace imgforge::core
