#include "artifacts/store/placed_file.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "artifacts/manifest/version.hpp"
#include "artifacts/store/flat_names.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

Error in_the_way(const fs::path& target, const std::string& why) {
  return std::move(Error(Kind::kStore, target.native() + " is in the way: " + why).hint("move it elsewhere"));
}

/// True when the file is there with the same bytes; false when nothing has that name.
bool is_there(const fs::path& target, const VerifiedFile& file) {
  std::error_code error;
  const auto type = fs::symlink_status(target, error).type();
  if (type == fs::file_type::not_found) return false;
  if (type == fs::file_type::none) throw core::system_error(error.value(), "cannot examine", target.native());
  if (type != fs::file_type::regular) throw in_the_way(target, "it is not a file");
  const core::Digest found = core::digest_of_file(core::HashAlgorithm::kSha256, target);
  if (found != file.digest()) {
    throw in_the_way(target, "expected " + file.digest().to_string() + ", it has " + found.to_string());
  }
  return true;
}

}  // namespace

PlacedFile place_file(const Store& store, std::string_view folder, std::string_view name,
                      const VerifiedFile& file, const core::CancelToken& cancel,
                      std::chrono::milliseconds lock_timeout) {
  if (!is_file_name(name)) throw Error(Kind::kInternal, "not a name for a file of the store");
  const fs::path target = store.root() / folder / name;
  const StoreLock lock(store.root(), lock_timeout, cancel);
  if (is_there(target, file)) return {PlaceOutcome::kThere, target};
  core::TempDir::reclaim(store.root() / ".staging");
  const core::TempDir staging(store.root() / ".staging", "place");
  const fs::path copy = staging / "file";
  core::clone_file(file.path(), copy, 0644);
  const core::Fd fd = core::open_file(copy, O_RDONLY | O_NOFOLLOW);
  core::sync_fd(fd.get(), copy.native());
  cancel.check();
  if (core::digest_of_file(core::HashAlgorithm::kSha256, copy) != file.digest()) {
    throw Error(Kind::kIntegrity, file.path().native() + " changed while it was copied");
  }
  make_folder(target.parent_path());
  if (::renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) throw in_the_way(target, "it appeared just now");
    throw core::system_error(errno, "cannot move a file to", target.native());
  }
  core::sync_directory(target.parent_path());
  return {PlaceOutcome::kPlaced, target};
}

}  // namespace imgforge::artifacts
