// Tar archives, read with suspicion and written reproducibly. The reader refuses what libarchive lets
// pass (cut archives, data after the end, path escapes, bombs); the writer emits pax headers in the given
// order. Formats: POSIX.1-2001 pax interchange, ustar, GNU; compressed with gzip, xz, zstd or bzip2. The code
// is in tar_reader.cpp, tar_writer.cpp and normalise.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace imgforge::artifacts {

enum class EntryType { kFile, kDirectory, kSymlink, kHardlink, kCharDevice, kBlockDevice, kFifo };

/// One member. `path` is relative and clean ("etc/passwd"); the root directory itself is ".".
struct TarEntry {
  std::string path;
  EntryType type = EntryType::kFile;
  std::uint32_t mode = 0644;  ///< permission bits with setuid, setgid and sticky
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime = 0;   ///< seconds since the epoch
  std::uint64_t size = 0;   ///< bytes of content (kFile only)
  std::string link_target;  ///< symlink: as stored; hard link: clean path of an earlier member
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::map<std::string, std::string> xattrs;
};

enum class Devices { kRefuse, kAllow };

/// What an archive may contain and cost. Excess is kUnsafe.
struct TarPolicy {
  Devices devices = Devices::kRefuse;
  core::Bytes total = core::gib(16);  ///< sum of logical file sizes
  std::uint64_t entries = 1'000'000;
  unsigned depth = 128;        ///< path components
  std::uint64_t ratio = 2000;  ///< unpacked : stored bytes, checked beyond 64 MiB unpacked
};

/// Sequential reader of one tar archive file.
class TarReader {
 public:
  /// Opens a regular file. kArchive when it is not a tar archive.
  TarReader(const std::filesystem::path& file, TarPolicy policy);
  /// Reads from a pipe or file descriptor (not owned), uncompressed or compressed; `name` is for messages.
  TarReader(int fd, std::string name, TarPolicy policy);
  ~TarReader();
  TarReader(TarReader&&) noexcept;
  /// Next member, in stored order; false at a proper end of archive (two zero blocks, nothing after them).
  /// Throws kArchive (malformed, truncated, duplicate, trailing data) or kUnsafe, naming the member.
  bool next(TarEntry& entry);
  /// Unpacked bytes of the archive before what is read next: straight after `next`, where the content of the
  /// member begins.
  std::uint64_t position() const;
  /// Content of the current member; 0 at its end.
  std::size_t read(std::span<std::byte> buffer);
  /// Whole content of the current member; more than `limit` bytes is kUnsafe.
  std::string read_text(std::uint64_t limit = 1 << 20);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes one uncompressed pax tar; equal calls give equal bytes.
class TarWriter {
 public:
  /// Writes to a file descriptor (not owned).
  TarWriter(int fd, std::string name);
  ~TarWriter();
  TarWriter(TarWriter&&) noexcept;
  /// Begins a member; a kFile is followed by exactly `entry.size` bytes of `write`.
  void begin(const TarEntry& entry);
  void write(std::span<const std::byte> data);
  /// A member with its content at once (size is taken from `content`).
  void add(TarEntry entry, std::string_view content = {});
  /// End-of-archive blocks; throws when a member is short. Without it the archive is abandoned.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct NormaliseOptions {
  std::int64_t latest_mtime = 0;  ///< later times are clamped to this (as SOURCE_DATE_EPOCH asks)
  /// Members for which it returns true are left out (with all below a directory). May be empty.
  std::function<bool(const TarEntry&)> drop;
};

/// What normalising saw.
struct NormaliseResult {
  std::uint64_t entries = 0;
  std::uint64_t content_bytes = 0;
};

/// Reads a root file system from `source` (devices allowed) and writes it normalised to `target`: members
/// sorted by path (parents first), hard links pointing at the first name, times clamped, no user or group
/// names, no atime/ctime. Streams: contents are spooled in `spool_folder`, only headers are in memory.
NormaliseResult normalise_rootfs(TarReader& source, int target, const std::filesystem::path& spool_folder,
                                 const NormaliseOptions& options);

}  // namespace imgforge::artifacts
