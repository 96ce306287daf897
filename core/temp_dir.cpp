#include "core/temp_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"
#include "core/random.hpp"

namespace imgforge::core {
namespace {

constexpr const char* kOwnerFile = ".owner";

void remove_quietly(const std::filesystem::path& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace

TempDir::TempDir(const std::filesystem::path& parent, std::string_view prefix) {
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  if (error) throw system_error(error.value(), "cannot create", parent.native());
  path_ = parent / (std::string(prefix) + "." + std::to_string(::getpid()) + "." + random_hex(6));
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

int TempDir::reclaim(const std::filesystem::path& parent) {
  int removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    const std::filesystem::path owner_path = entry.path() / kOwnerFile;
    const Fd owner(::open(owner_path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    // Without an owner file it is not ours; with a locked one its process lives.
    if (!owner || ::flock(owner.get(), LOCK_EX | LOCK_NB) != 0) continue;
    remove_quietly(entry.path());
    ++removed;
  }
  return removed;
}

}  // namespace imgforge::core
