// Which digest a file had when it was hashed, by what stat(2) said of it: a file of which nothing has changed
// since need not be hashed again by whoever is content with that. A build is; whoever is asked to check, or
// hands bytes on, is not and hashes. The README of artifacts/ says when that may be relied on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/digest.hpp"

namespace imgforge::artifacts {

/// What stat(2) says about a regular file. Who changes its bytes changes one of these, unless he sets them
/// back on purpose. Times in nanoseconds since 1970.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::int64_t changed = 0;
  bool operator==(const FileIdentity&) const = default;
};

/// Links are not followed. Nothing when there is no regular file of that name.
std::optional<FileIdentity> identity_of(const std::filesystem::path& path);
FileIdentity identity_of(int fd, const std::filesystem::path& path);

/// A file as it was seen before it was hashed, and when.
struct Sighting {
  FileIdentity identity;
  std::int64_t at = 0;
};
Sighting now_seen(const FileIdentity& identity);

/// Sets the time of the last write back by three seconds: each write from now on shows, however coarse the
/// clock of the file system is. For finished files that are ours; nothing happens to others.
void seal(int fd);

/// A digest and what it was taken of.
struct HashedFile {
  std::filesystem::path path;  ///< name of the file from now on
  Sighting before;             ///< hashing began
  FileIdentity after;          ///< after hashing, and all that was done to the file besides
  core::Digest sha256;
  bool is_sealed = false;   ///< before it was hashed; mode and name may have changed since
  bool is_durable = false;  ///< its bytes outlive a power cut
};

/// What to do with what earlier processes remembered.
enum class Earlier { kBelieve, kForget };

class DigestMemory {
 public:
  /// What this process hashes, as long as it lives.
  DigestMemory() = default;
  /// And what others left in `file`. One that is damaged, of another format, another user or that others may
  /// write counts as absent.
  DigestMemory(std::filesystem::path file, Earlier earlier);

  /// The sha256 of the file with that identity, if it is known.
  std::optional<core::Digest> recall(const FileIdentity& identity) const;
  /// Not when the file changed while it was hashed. Others get to know only what was settled (README).
  void remember(const HashedFile& file);
  /// sha256 of a file that is not imgforge's: hashed once by this process, however often it is asked for, and
  /// by each further one. Throws kIo, kPermission.
  core::Digest digest_of_foreign(const std::filesystem::path& file);
  /// Whether others get to know: then it pays to make a file durable.
  bool is_kept() const { return !file_.empty(); }
  /// Adds what is new to the file and drops what has changed or is gone; several processes may do so at once.
  /// What cannot be written is hashed again some day, so that is no error.
  void save() noexcept;

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;  ///< device and inode
  struct Row {
    FileIdentity identity;
    core::Digest sha256;
    std::string boot;  ///< counts until the machine restarts; empty: for ever
    std::string path;
    bool is_new = false;
  };
  using Rows = std::map<Place, Row>;
  static Rows read(const std::filesystem::path& file);
  static Rows parse(std::string_view text);
  static std::string print(const Rows& rows);
  void merge_and_write();

  std::filesystem::path file_;
  bool forgets_ = false;
  mutable std::mutex mutex_;
  Rows rows_;
};

}  // namespace imgforge::artifacts
