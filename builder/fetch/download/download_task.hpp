// One download on its way: takes up what an earlier run left, asks mirrors for what is missing, in several
// ranges at once when one stream is slow, and hands the file to the blob store when every promise holds.
// Driven by Downloader through Http's feed; all of it happens on one thread. The code is in download_task.cpp
// and download_settle.cpp.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/download/fetch_progress.hpp"
#include "builder/fetch/download/mirror_choice.hpp"
#include "builder/fetch/download/partial.hpp"

namespace imgforge::fetch {

/// What the tasks of one call share.
struct TaskShared {
  const Context& context;
  const KnownFiles& known;
  FetchProgress& progress;
  /// The file, if it is in the cache and keeps its promises.
  std::function<std::optional<artifacts::VerifiedFile>(const Download&)> find_cached;
  /// Asked when more bytes turn out to be needed; throws kNoSpace.
  std::function<void()> check_space;
  artifacts::Durability small_files = artifacts::Durability::kSynced;
};

/// Where unfinished downloads are kept, and the name of one: its digest, or one made of its first URL.
std::filesystem::path partial_folder(const Context& context);
std::string partial_name(const Download& download);
/// Name under which KnownFiles remembers the blob; empty when its sha256 is promised.
std::string known_name(const Download& download);

class DownloadTask {
 public:
  using Time = std::chrono::steady_clock::time_point;

  DownloadTask(TaskShared& shared, const Download& download);
  ~DownloadTask();

  /// The next transfer that is worth starting now. Settles the file when all its bytes are there.
  std::optional<Transfer> next(Time now);
  /// True when the sink is one of this task's; the result is dealt with then.
  bool done(const Transfer& transfer, Result& result, Time now);
  bool finished() const { return file_.has_value() || error_.has_value(); }
  /// True while transfers of it run.
  bool active() const { return !active_.empty(); }
  /// Bytes that are known to be missing.
  std::uint64_t missing() const;
  /// The file, or throws why there is none.
  artifacts::VerifiedFile take();

 private:
  class Segment;
  friend class Segment;

  bool open(Time now);
  void take_up();
  bool complete();
  std::optional<artifacts::ByteRange> next_range(Time now);
  bool may_spread(Time now) const;
  std::optional<artifacts::ByteRange> largest_half() const;
  Mirror* pick_mirror(artifacts::ByteRange& range, Time now);
  std::optional<Transfer> start(Mirror& mirror, artifacts::ByteRange range);
  const std::string& validator_of(const Mirror& mirror) const;

  bool accept(Segment& segment, const Head& head);
  void arrived(Segment& segment, std::span<const std::byte> data);
  void restart();
  void forget_total();
  void settle_failure(Segment& segment, Failure& failure, Time now);
  bool fail_if_hopeless();

  void settle();
  void wrong(core::Error error);
  bool repair_chunks();
  std::optional<ChunkList> chunk_list() const;
  void keep_chunk_list(const core::Digest& sha256) const;
  void take_sound_chunks();
  void finish(artifacts::VerifiedFile file, FetchReport::From from);

  TaskShared& shared_;
  const Download& download_;
  std::string identity_;
  bool unavailable_ = false;  ///< the error is an Unavailable
  bool promised_ = false;     ///< a digest says what the bytes must be, so sources may be mixed
  MirrorChoice mirrors_;
  std::unique_ptr<Partial> partial_;
  std::vector<std::unique_ptr<Segment>> active_;
  std::optional<std::uint64_t> total_;
  std::string last_url_;       ///< that was asked
  std::uint64_t present_ = 0;  ///< room that an earlier run's part takes on disk
  bool waited_ = false;        ///< another process has the part
  bool ranges_offered_ = false;
  /// Bytes of an earlier run, of several mirrors, or of several answers are among what is there.
  bool mixed_ = false;
  bool one_stream_ = false;
  int restarts_ = 0;
  int repairs_ = 0;
  std::uint64_t most_ = 0;  ///< bytes that were there at best: more is progress
  std::uint64_t resumed_ = 0;
  std::uint64_t transferred_ = 0;
  Time lock_again_ = {};
  Time saved_ = {};
  Time began_ = {};
  Time first_byte_ = {};
  std::optional<artifacts::VerifiedFile> file_;
  std::optional<core::Error> error_;
};

}  // namespace imgforge::fetch
