#include "artifacts/blobs/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "artifacts/blobs/blob_collector.hpp"
#include "artifacts/blobs/incoming_file.hpp"
#include "core/error.hpp"
#include "core/file_bytes.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw core::system_error(error.value(), "cannot create", folder.native());
}

core::Digest hash(int fd, const std::filesystem::path& path) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  core::read_whole(fd, path.native(), [&](std::span<const std::byte> block) { hasher.update(block); });
  return hasher.finish();
}

/// Whether there is a file. Anything but a regular one is kStore.
bool is_there(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return false;
    throw core::system_error(errno, "cannot examine", path.native());
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(Kind::kStore, path.native() + " is not a regular file")
        .hint("remove it from the cache by hand");
  }
  return true;
}

}  // namespace

BlobStore::BlobStore(std::filesystem::path root, std::unique_ptr<DigestMemory> memory)
    : root_(std::move(root)), memory_(memory ? std::move(memory) : std::make_unique<DigestMemory>()) {
  make_folder(root_ / "sha256");
  make_folder(staging());
  lock_ = lock_blobs_shared(root_);
}

std::filesystem::path BlobStore::path_of(const core::Digest& sha256) const {
  if (sha256.algorithm() != core::HashAlgorithm::kSha256 || sha256.empty()) {
    throw Error(Kind::kInternal, "blobs are named by sha256 digests");
  }
  const std::string hex = sha256.hex();
  return root_ / "sha256" / hex.substr(0, 2) / hex.substr(2);
}

std::optional<VerifiedFile> BlobStore::find(const core::Digest& sha256) {
  const std::filesystem::path path = path_of(sha256);
  if (!is_there(path)) return std::nullopt;
  const core::Fd fd = core::open_regular(path, core::FollowLinks::kNo);
  const Sighting before = now_seen(identity_of(fd.get(), path));
  if (hash(fd.get(), path) == sha256) {
    const FileIdentity after = identity_of(fd.get(), path);
    // What is in memory only, of a build that was killed, must not be believed after a power cut.
    const bool durable = memory_->is_kept() && ::fdatasync(fd.get()) == 0;
    memory_->remember({path, before, after, sha256, false, durable});
    return VerifiedFile(path, sha256, after.size);
  }
  make_folder(root_ / "quarantine");
  const std::filesystem::path rotten = root_ / "quarantine" / (sha256.hex() + "." + core::random_hex(4));
  if (::rename(path.c_str(), rotten.c_str()) != 0 && errno != ENOENT) {
    throw core::system_error(errno, "cannot set aside the damaged", path.native());
  }
  return std::nullopt;
}

std::optional<VerifiedFile> BlobStore::find_again(const core::Digest& sha256) {
  const std::filesystem::path path = path_of(sha256);
  if (!is_there(path)) return std::nullopt;
  const std::optional<FileIdentity> identity = identity_of(path);
  if (identity && memory_->recall(*identity) == sha256) return VerifiedFile(path, sha256, identity->size);
  return find(sha256);
}

bool BlobStore::contains(const core::Digest& sha256) const {
  std::error_code error;
  return std::filesystem::is_regular_file(std::filesystem::symlink_status(path_of(sha256), error));
}

VerifiedFile BlobStore::adopt(const std::filesystem::path& file, const std::optional<core::Digest>& expected,
                              Durability durability) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  seal(fd.get());
  const Sighting before = now_seen(identity_of(fd.get(), file));
  const core::Digest actual = hash(fd.get(), file);
  if (expected && *expected != actual) {
    throw Error(Kind::kIntegrity,
                file.native() + " has " + actual.to_string() + ", expected " + expected->to_string());
  }
  return move_into_place(fd.get(), file, before, actual, durability);
}

VerifiedFile BlobStore::adopt(IncomingFile& file, Durability durability) {
  seal(file.fd());
  const Sighting before = now_seen(identity_of(file.fd(), file.path()));
  return move_into_place(file.fd(), file.path(), before, file.digest(), durability);
}

VerifiedFile BlobStore::move_into_place(int fd, const std::filesystem::path& file, const Sighting& before,
                                        const core::Digest& actual, Durability durability) {
  const std::filesystem::path target = path_of(actual);
  is_there(target);  // refuses what must not be replaced
  make_folder(target.parent_path());
  if (::fchmod(fd, 0444) != 0) throw core::system_error(errno, "cannot set the mode of", file.native());
  const bool sync = durability == Durability::kSynced;
  if (sync) core::sync_fd(fd, file.native());
  if (::rename(file.c_str(), target.c_str()) != 0) {
    throw core::system_error(errno, "cannot move into the cache:", file.native());
  }
  if (sync) {
    core::sync_directory(target.parent_path());
    core::sync_directory(root_ / "sha256");
  }
  const FileIdentity after = identity_of(fd, target);
  memory_->remember({target, before, after, actual, true, sync});
  return VerifiedFile(target, actual, after.size);
}

std::optional<std::filesystem::path> BlobStore::quarantined(const core::Digest& sha256) const {
  std::optional<std::filesystem::path> newest;
  std::filesystem::file_time_type time;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "quarantine", error)) {
    if (entry.path().stem() != sha256.hex() || !entry.is_regular_file(error)) continue;
    const auto written = entry.last_write_time(error);
    if (newest && written <= time) continue;
    newest = entry.path();
    time = written;
  }
  return newest;
}

void BlobStore::sync() const {
  const core::Fd fd = core::open_file(root_, O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) != 0) throw core::system_error(errno, "cannot sync", root_.native());
}

VerifiedFile BlobStore::put(std::string_view content) {
  if (auto there = find_again(core::digest_of(core::HashAlgorithm::kSha256, content))) return *there;
  core::NewFile file(staging() / ("put." + core::random_hex(8)));
  file.write(content);
  file.close();
  VerifiedFile adopted = adopt(file.path());
  file.keep();
  return adopted;
}

}  // namespace imgforge::artifacts
