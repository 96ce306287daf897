#include "builder/fetch/download/download_task.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <limits>

#include "builder/fetch/download/segment.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/bytes.hpp"

namespace imgforge::fetch {
namespace {

using artifacts::ByteRange;

constexpr std::chrono::milliseconds kLockAgain{50};
constexpr std::chrono::seconds kSaveEvery{1};
constexpr std::chrono::milliseconds kMeasure{200};  ///< a stream's speed is not judged before
/// A stream that is this fast is not held back by its server: more of them would only cost more work.
constexpr double kFastEnough = 100e6;
constexpr double kWorthSpreading = 1.0;  ///< seconds that are left at the present speed
constexpr int kMostRestarts = 4;
/// Hashing everything twice keeps up with this and is not waited for.
constexpr double kFastestForChunks = 100e6;

double seconds_between(DownloadTask::Time begin, DownloadTask::Time end) {
  return std::chrono::duration<double>(end - begin).count();
}

std::vector<core::HashAlgorithm> algorithms_of(const Download& download) {
  std::vector<core::HashAlgorithm> algorithms;
  for (const Promise& promise : download.promises) algorithms.push_back(promise.digest.algorithm());
  return algorithms;
}

core::Error with_remedy(const core::Error& error, const Download& download) {
  core::Error told(error.kind(), fmt::format("{}; {} names it", error.message(), download.named_by));
  told.hint(error.hint().empty() ? download.remedy : error.hint() + "; " + download.remedy);
  return told.quote(error.quote());
}

}  // namespace

DownloadTask::DownloadTask(TaskShared& shared, const Download& download)
    : shared_(shared),
      download_(download),
      identity_(partial_name(download)),
      promised_(!download.promises.empty()),
      mirrors_(download.urls, shared.context.http.health(), shared.context.http.options()),
      total_(download.size) {
  struct stat status {};
  const std::filesystem::path part = partial_folder(shared.context) / (identity_ + ".part");
  if (::stat(part.c_str(), &status) == 0) present_ = static_cast<std::uint64_t>(status.st_blocks) * 512;
  if (total_) shared_.progress.expect(*total_);
}

DownloadTask::~DownloadTask() = default;

std::uint64_t DownloadTask::missing() const {
  if (finished() || waited_ || !total_) return 0;
  const std::uint64_t there = partial_ ? partial_->file().total() : present_;
  return *total_ - std::min(*total_, there);
}

artifacts::VerifiedFile DownloadTask::take() {
  if (error_ && unavailable_) throw Unavailable(std::move(*error_));
  if (error_) throw *error_;
  return std::move(file_.value());
}

std::optional<Transfer> DownloadTask::next(Time now) {
  if (finished() || (!partial_ && !open(now)) || finished()) return std::nullopt;
  if (complete()) {
    if (active_.empty()) settle();
    if (finished() || !partial_ || complete()) return std::nullopt;
  }
  if (fail_if_hopeless()) return std::nullopt;
  std::optional<ByteRange> range = next_range(now);
  if (!range) return std::nullopt;
  Mirror* mirror = pick_mirror(*range, now);
  if (mirror == nullptr) return std::nullopt;
  return start(*mirror, *range);
}

/// True when the part is ours, or the file turned out to be there.
bool DownloadTask::open(Time now) {
  if (now < lock_again_) return false;
  partial_ = Partial::try_open(partial_folder(shared_.context), identity_, algorithms_of(download_));
  if (!partial_) {
    waited_ = true;
    lock_again_ = now + kLockAgain;
    shared_.progress.waiting("waiting for another imgforge that downloads " + download_.name);
    return false;
  }
  if (std::optional<artifacts::VerifiedFile> file = shared_.find_cached(download_)) {
    partial_->restart();
    finish(std::move(*file), waited_ ? FetchReport::From::kAnotherRun : FetchReport::From::kCache);
    return true;
  }
  waited_ = false;
  began_ = now;
  take_up();
  return true;
}

/// Decides what the bytes of an earlier run are good for.
void DownloadTask::take_up() {
  artifacts::IncomingFile& file = partial_->file();
  file.want_chunks(kChunkSize, kFastestForChunks);
  if (file.total() == 0) take_sound_chunks();
  if (file.total() == 0) return;
  const PartSource& source = partial_->source();
  const bool same_size = !download_.size || !source.total || *download_.size == *source.total;
  const auto is_source = [&](const Mirror& mirror) { return partial_->came_from(mirror.url); };
  const std::vector<Mirror>& mirrors = mirrors_.list();
  const bool resumable =
      promised_ || (!source.strong.empty() && std::any_of(mirrors.begin(), mirrors.end(), is_source));
  if (!same_size || !resumable) {
    partial_->restart();
    return;
  }
  if (!total_ && source.total) {
    total_ = source.total;
    shared_.progress.expect(*total_);
  }
  resumed_ = most_ = file.total();
  mixed_ = true;
  shared_.progress.have(resumed_);
}

bool DownloadTask::complete() {
  return total_ && partial_->file().ranges().covers({0, *total_});
}

/// What to ask for next: what is missing and nobody is fetching, else half of what the slowest still has to
/// do.
std::optional<ByteRange> DownloadTask::next_range(Time now) {
  artifacts::ByteRanges taken = partial_->file().ranges();
  if (!total_) {
    if (!active_.empty()) return std::nullopt;
    return ByteRange{taken.frontier(), Segment::kOpenEnd};
  }
  if (active_.empty()) return taken.gaps(*total_).front();
  if (!may_spread(now)) return std::nullopt;
  for (const auto& segment : active_) taken.add({segment->position, std::min(segment->end, *total_)});
  const std::vector<ByteRange> gaps = taken.gaps(*total_);
  return gaps.empty() ? largest_half() : std::optional(gaps.front());
}

bool DownloadTask::may_spread(Time now) const {
  const Context& context = shared_.context;
  if (!promised_ || one_stream_ || !ranges_offered_ || *total_ < context.spread_from) return false;
  if (active_.size() >= context.connections || !mirrors_.any_ranges()) return false;
  const double seconds = seconds_between(first_byte_, now);
  if (transferred_ == 0 || seconds < seconds_between({}, Time(kMeasure))) return false;
  const double rate = static_cast<double>(transferred_) / seconds;
  return rate<kFastEnough&& static_cast<double>(missing())> kWorthSpreading * rate;
}

/// The second half of the running segment that has most to do; it is taken from it when the new one starts.
std::optional<ByteRange> DownloadTask::largest_half() const {
  const Segment* largest = nullptr;
  for (const auto& segment : active_) {
    if (largest == nullptr || segment->left(*total_) > largest->left(*total_)) largest = segment.get();
  }
  const std::uint64_t left = largest->left(*total_);
  if (left < shared_.context.spread_from / 8) return std::nullopt;
  const std::uint64_t end = std::min(largest->end, *total_);
  return ByteRange{end - left / 2, end};
}

/// The mirror for a range. Where a part cannot be had any more, `range` becomes the whole file.
Mirror* DownloadTask::pick_mirror(ByteRange& range, Time now) {
  const auto from_scratch = [&] {
    restart();
    range = {0, total_.value_or(Segment::kOpenEnd)};
    return mirrors_.pick(now, false);
  };
  if (range.begin == 0) return mirrors_.pick(now, total_ && range.end < *total_);
  if (!promised_) {
    for (Mirror& mirror : mirrors_.list()) {
      const bool usable = !mirror.excluded && !mirror.no_ranges && !partial_->source().strong.empty();
      if (usable && partial_->came_from(mirror.url)) return mirror.ready > now ? nullptr : &mirror;
    }
    return from_scratch();
  }
  if (!mirrors_.any_ranges()) return active_.empty() ? from_scratch() : nullptr;
  return mirrors_.pick(now, true);
}

std::optional<Transfer> DownloadTask::start(Mirror& mirror, ByteRange range) {
  for (const auto& segment : active_) {
    if (segment->position < range.begin && range.begin < segment->end) segment->end = range.begin;
  }
  const bool whole = range.begin == 0 && (!total_ || range.end >= *total_);
  Request request{.url = mirror.url, .limit = download_.limit, .size = download_.size, .attempts = 1};
  if (!whole) {
    request.range = WantedRange{.offset = range.begin};
    if (range.end != Segment::kOpenEnd) request.range->length = range.size();
    request.range->unless_changed = validator_of(mirror);
    if (range.begin > partial_->file().ranges().frontier()) partial_->scatter();
  }
  if (partial_->file().total() > 0 && (mirror.url != last_url_ || range.begin > 0)) mixed_ = true;
  last_url_ = mirror.url;
  ++mirror.active;
  active_.push_back(std::make_unique<Segment>(*this, mirror, range));
  return Transfer{std::move(request), active_.back().get()};
}

const std::string& DownloadTask::validator_of(const Mirror& mirror) const {
  static const std::string none;
  if (!mirror.strong.empty()) return mirror.strong;
  return partial_->came_from(mirror.url) ? partial_->source().strong : none;
}

/// Judges an answer before its first byte. Bytes of two versions of a file never meet: when this is another
/// one than what is there, everything begins anew, with this answer if it is the whole file.
bool DownloadTask::accept(Segment& segment, const Head& head) {
  if (segment.stale) return false;
  Mirror& mirror = segment.mirror;
  const std::string& known = validator_of(mirror);
  const bool has_bytes = partial_->file().total() > 0;
  const bool changed = has_bytes && ((!known.empty() && !head.strong.empty() && head.strong != known) ||
                                     (total_ && head.total && *head.total != *total_));
  if (changed || head.offset != segment.position) {
    const bool alone = active_.size() == 1;
    if (!changed) mirror.no_ranges = true;
    if (changed && !(alone && head.offset == 0)) {
      mirror.strong = head.strong;
      restart();
      return false;
    }
    if (!alone) return false;
    restart();
    segment.stale = false;
    segment.position = 0;
    segment.end = head.total.value_or(Segment::kOpenEnd);
  }
  if (head.total && !total_) {
    total_ = head.total;
    shared_.progress.expect(*total_);
    shared_.check_space();
  }
  if (segment.end == Segment::kOpenEnd && total_) segment.end = *total_;
  if (!head.strong.empty()) mirror.strong = head.strong;
  ranges_offered_ = ranges_offered_ || head.ranges;
  if (partial_->file().total() == 0 || partial_->came_from(mirror.url))
    partial_->set_source({mirror.url, head.strong, total_});
  if (first_byte_ == Time{}) first_byte_ = std::chrono::steady_clock::now();
  return true;
}

/// Forgets every byte; running transfers end when they next move.
void DownloadTask::restart() {
  ++restarts_;
  one_stream_ = true;
  for (const auto& segment : active_) segment->stale = true;
  shared_.progress.take_back(partial_->file().total());
  partial_->restart();
  forget_total();
  mixed_ = false;
  resumed_ = 0;
}

/// What a server said of the size; what was promised stays.
void DownloadTask::forget_total() {
  if (download_.size || !total_) return;
  shared_.progress.forget(*total_);
  total_.reset();
}

void DownloadTask::arrived(Segment& segment, std::span<const std::byte> data) {
  if (segment.stale) return;
  const std::uint64_t room = segment.end - segment.position;
  data = data.first(std::min<std::uint64_t>(data.size(), room));
  partial_->file().write(segment.position, data);
  segment.position += data.size();
  transferred_ += data.size();
  shared_.progress.add(data.size());
  const Time now = std::chrono::steady_clock::now();
  if (saved_ == Time{}) saved_ = now - kSaveEvery + kMeasure;
  if (now - saved_ < kSaveEvery) return;
  saved_ = now;
  partial_->save();
}

bool DownloadTask::done(const Transfer& transfer, Result& result, Time now) {
  const auto found = std::find_if(active_.begin(), active_.end(),
                                  [&](const auto& segment) { return segment.get() == transfer.sink; });
  if (found == active_.end()) return false;
  const std::unique_ptr<Segment> segment = std::move(*found);
  active_.erase(found);
  --segment->mirror.active;
  if (const std::uint64_t there = partial_->file().total(); there > most_) {
    most_ = there;
    mirrors_.progressed();
  }
  if (Failure* failure = std::get_if<Failure>(&result)) {
    settle_failure(*segment, *failure, now);
  } else if (!segment->stale && !total_) {
    total_ = segment->position;  // nobody announced a size: it ends where the answer ended
    shared_.progress.expect(*total_);
    partial_->set_source({segment->mirror.url, segment->mirror.strong, total_});
  }
  return true;
}

void DownloadTask::settle_failure(Segment& segment, Failure& failure, Time now) {
  Mirror& mirror = segment.mirror;
  if (!segment.stale) {
    for (const auto& other : active_) {  // whoever this range was taken from may go on into it
      if (!other->stale && other->end == segment.position && &other->mirror == &mirror)
        other->end = segment.end;
    }
  }
  if (failure.declined) {
    if (restarts_ > kMostRestarts) {
      mirrors_.exclude(mirror, core::Error(core::Kind::kFetch, redacted_url(mirror.url) +
                                                                   ": the file changes while it is fetched"));
    }
  } else if (failure.bad_range && failure.error.kind() == core::Kind::kFetch) {
    mirror.no_ranges = true;
  } else if (failure.may_pass) {
    mirrors_.failed(mirror, std::move(failure), now);
  } else {
    mirrors_.exclude(mirror, std::move(failure.error), failure.absent);
  }
}

bool DownloadTask::fail_if_hopeless() {
  if (!active_.empty() || !mirrors_.all_excluded()) return false;
  const MirrorFailures& failures = mirrors_.failures();
  if (failures.empty()) {
    error_ = core::Error(core::Kind::kFetch, download_.name + ": no mirror is named");
  } else {
    error_ = failures.error(download_.name);
    unavailable_ = failures.all_answered() && !download_.named_by.empty();
    if (unavailable_) error_ = with_remedy(*error_, download_);
  }
  if (const std::uint64_t there = partial_->file().total(); there > 0) {
    const std::string kept =
        fmt::format("{} of {} are kept, the next run goes on from there", core::Bytes{there}.human(),
                    total_ ? core::Bytes{*total_}.human() : "the file");
    error_->hint(error_->hint().empty() ? kept : error_->hint() + "; " + kept);
  }
  partial_.reset();
  return true;
}

}  // namespace imgforge::fetch
