// A file that arrives in pieces, at several places at once, and is hashed while it grows. Its digests follow
// the bytes that are there without a hole from the start, read back from the page cache by a thread of their
// own, so that neither one stream nor many have to wait for hashing and nothing is read from disk again. The
// same thread asks the disk now and then to keep what was written. The blob store adopts such a file on the
// word of these digests: nobody else writes to it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "artifacts/blobs/byte_ranges.hpp"
#include "core/digest.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {

class IncomingFile {
 public:
  /// Takes over a file open for reading and writing, of which nothing is believed yet. sha256 is always
  /// among the digests.
  IncomingFile(core::Fd fd, std::filesystem::path path, const std::vector<core::HashAlgorithm>& more = {});
  ~IncomingFile();
  IncomingFile(const IncomingFile&) = delete;
  IncomingFile& operator=(const IncomingFile&) = delete;

  /// Writes at a place. Throws kNoSpace, kIo, also for faults of the disk that were found in the background.
  void write(std::uint64_t offset, std::span<const std::byte> data);
  /// Believes that these bytes were written before, and that the disk holds some of them.
  void keep(const ByteRanges& written, const ByteRanges& durable = {});
  /// Forgets these bytes; they will be written again.
  void drop(ByteRange range);
  /// Forgets everything and cuts the file to nothing.
  void restart();

  ByteRanges ranges() const;
  std::uint64_t total() const;
  /// What the disk is known to hold, also after a power cut.
  ByteRanges durable() const;
  /// Makes everything written so far durable.
  void sync();

  /// Hashes each `size` bytes by themselves as well, unless bytes come at more than `fastest` a second: then
  /// hashing them twice would cost time. Before the first write.
  void want_chunks(std::uint64_t size, double fastest);
  /// After finish: a sha256 for each chunk, the last one may be short. Empty when there are none.
  const std::vector<core::Digest>& chunks() const { return chunks_; }

  /// Waits for hashing. The file must be there without a hole up to `size`; anything behind is cut off.
  void finish(std::uint64_t size);
  /// After finish. kInternal when that algorithm was not asked for.
  const core::Digest& digest(core::HashAlgorithm algorithm = core::HashAlgorithm::kSha256) const;
  std::uint64_t size() const { return finished_size_; }

  int fd() const { return fd_.get(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Hash {
    core::HashAlgorithm algorithm;
    core::Hasher hasher;
  };
  void begin_hashing();
  void hash(std::span<const std::byte> data);
  void hash_chunks(std::span<const std::byte> data);
  bool too_fast_for_chunks() const;
  void hash_from_file(std::uint64_t until);
  void follow();
  void stop_thread();
  void check_background();

  core::Fd fd_;
  std::filesystem::path path_;
  std::vector<core::HashAlgorithm> algorithms_;
  std::map<core::HashAlgorithm, core::Digest> digests_;
  std::uint64_t finished_size_ = 0;

  mutable std::mutex mutex_;  ///< guards what follows while the thread runs
  std::condition_variable moved_;
  ByteRanges ranges_;
  ByteRanges durable_;
  bool stop_ = false;
  std::exception_ptr fault_;

  std::vector<Hash> hashes_;     ///< the thread's while it runs
  std::uint64_t hashed_ = 0;     ///< likewise
  std::uint64_t unsynced_ = 0;   ///< bytes written since the last sync
  std::uint64_t announced_ = 0;  ///< frontier that the thread was woken for
  std::optional<std::thread> thread_;

  std::uint64_t chunk_ = 0;  ///< 0: chunks are not hashed
  double fastest_ = 0;
  std::chrono::steady_clock::time_point begin_ = {};
  std::uint64_t received_ = 0;  ///< guarded like ranges_
  std::optional<core::Hasher> chunk_hasher_;
  std::vector<core::Digest> chunks_;
};

}  // namespace imgforge::artifacts
