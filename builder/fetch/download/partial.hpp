// A download that is not finished: `<cache>/partial/<identity>.part` with its record `.json` beside it. It
// outlives the run, a kill and, as far as the disk was asked to keep it, a power cut; the next run goes on
// from there. One process at a time works on it (an OFD lock on the file), so two that want the same file
// share one download. The lock saves work; that the bytes are right is only ever said by their digest.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/blobs/incoming_file.hpp"

namespace imgforge::fetch {

/// What the record knows of the source that the bytes came from.
struct PartSource {
  std::string url = {};                     ///< whole, in memory only; the record holds its digest
  std::string strong = {};                  ///< validator for If-Range; empty: none
  std::optional<std::uint64_t> total = {};  ///< size of the whole file
};

class Partial {
 public:
  /// Nothing when another process works on it. `identity` is a plain file name. Throws kPermission, kIo.
  static std::unique_ptr<Partial> try_open(const std::filesystem::path& folder, const std::string& identity,
                                           const std::vector<core::HashAlgorithm>& algorithms);
  /// Removes what nobody has touched for so long and nobody works on; never the first time that it looks so
  /// old, since the clock may be wrong.
  static void forget_old(const std::filesystem::path& folder, std::chrono::hours age);
  /// Keeps what is there for the next run; an empty file is removed.
  ~Partial();
  Partial(const Partial&) = delete;
  Partial& operator=(const Partial&) = delete;

  artifacts::IncomingFile& file() { return file_; }
  /// True when the bytes that are there came from this very URL, as the record says.
  bool came_from(const std::string& url) const;
  const PartSource& source() const { return source_; }
  void set_source(PartSource source) { source_ = std::move(source); }
  /// From now on bytes are also written behind holes, so the file's length says nothing any more.
  void scatter();

  /// Writes the record: what is there, and what of it the disk holds.
  void save();
  void restart();
  /// The blob store has taken the file: nothing is left to keep.
  void adopted();
  /// Puts a file whose bytes are wrong aside as `<identity>.rejected`, in place of an earlier one; of all of
  /// them the newest few stay. Its path.
  std::filesystem::path reject();

 private:
  Partial(core::Fd fd, std::filesystem::path path, const std::vector<core::HashAlgorithm>& algorithms);
  void load();
  std::filesystem::path record() const;

  std::filesystem::path path_;
  artifacts::IncomingFile file_;
  PartSource source_;
  std::string url_digest_;  ///< of the URL in the record that was read
  bool scattered_ = false;
  bool gone_ = false;
};

}  // namespace imgforge::fetch
