// Content-addressed cache (`$XDG_CACHE_HOME/imgforge/blobs/sha256/<2>/<62>`): files named by the digest
// of what they hold. A name is never trusted: bytes are hashed before they are reused, unless a memory of
// digests knows that nothing has happened to the file since.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "artifacts/blobs/digest_memory.hpp"
#include "core/digest.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {

class BlobStore;
class IncomingFile;

/// Whether a blob must outlive a power cut. kRemade: what a build makes can be made again, and a blob whose
/// bytes were lost is found out when it is hashed before its next use, for no memory of it outlives the power
/// cut; so nobody waits for the disk.
enum class Durability { kSynced, kRemade };

/// A file whose content was hashed and found equal to `digest`, and of which nothing has changed since. Made
/// only by BlobStore.
class VerifiedFile {
 public:
  const std::filesystem::path& path() const { return path_; }
  const core::Digest& digest() const { return digest_; }  ///< sha256
  std::uint64_t size() const { return size_; }

 private:
  friend class BlobStore;
  VerifiedFile(std::filesystem::path path, core::Digest digest, std::uint64_t size)
      : path_(std::move(path)), digest_(std::move(digest)), size_(size) {}
  std::filesystem::path path_;
  core::Digest digest_;
  std::uint64_t size_;
};

class BlobStore {
 public:
  /// `root` is created when missing, and its blobs stay for as long as this value lives (blob_collector.hpp).
  /// `memory` is what find_again believes; null: only what this value hashed itself. Throws kPermission, kIo,
  /// and kLocked when a collector does not come to its end.
  explicit BlobStore(std::filesystem::path root, std::unique_ptr<DigestMemory> memory = nullptr);

  /// The blob if it is there and its bytes still have that sha256; a rotten one is moved to `quarantine/` and
  /// counts as absent. Symlinks, directories and FIFOs under a blob's name are refused (kStore).
  std::optional<VerifiedFile> find(const core::Digest& sha256);
  /// Like find, without hashing again what the memory knows.
  std::optional<VerifiedFile> find_again(const core::Digest& sha256);
  /// Whether there is a file under that digest, whatever is in it: enough for a plan.
  bool contains(const core::Digest& sha256) const;
  /// Adopts a finished file on the same file system (renamed into place, mode 0444, fsynced unless it is
  /// kRemade). Hashes it; when `expected` is given a difference is kIntegrity and the file is left alone.
  VerifiedFile adopt(const std::filesystem::path& file, const std::optional<core::Digest>& expected = {},
                     Durability durability = Durability::kSynced);
  /// Adopts a finished download on the digest that it was given while it arrived.
  VerifiedFile adopt(IncomingFile& file, Durability durability = Durability::kSynced);
  /// A blob of these bytes; writes nothing when there is one.
  VerifiedFile put(std::string_view content);
  /// The newest file that was moved to `quarantine/` under that digest; what of it is sound may serve again.
  std::optional<std::filesystem::path> quarantined(const core::Digest& sha256) const;
  /// Makes everything that was adopted as kRemade outlive a power cut, with one request to the disk.
  void sync() const;
  /// Folder for unfinished files, on the same file system.
  std::filesystem::path staging() const { return root_ / "staging"; }
  const std::filesystem::path& root() const { return root_; }
  DigestMemory& memory() const { return *memory_; }

 private:
  std::filesystem::path path_of(const core::Digest& sha256) const;
  VerifiedFile move_into_place(int fd, const std::filesystem::path& file, const Sighting& before,
                               const core::Digest& actual, Durability durability);

  std::filesystem::path root_;
  core::Fd lock_;  // shared, against the collector
  std::unique_ptr<DigestMemory> memory_;
};

}  // namespace imgforge::artifacts
