// The end of a download: every promise is checked, damage is located, and what is wrong is put aside.
#include <fmt/format.h>

#include "builder/fetch/chunk_list.hpp"
#include "builder/fetch/download_task.hpp"
#include "builder/fetch/segment.hpp"
#include "builder/fetch/url.hpp"

namespace imgforge::fetch {
namespace {

constexpr int kMostRepairs = 3;
constexpr std::uint64_t kSmallFile = 1 << 20;

}  // namespace

void DownloadTask::settle() {
  artifacts::IncomingFile& file = partial_->file();
  file.finish(*total_);
  const std::string source = redacted_url(last_url_.empty() ? download_.urls.front() : last_url_);
  try {
    for (const Promise& promise : download_.promises) {
      const core::Digest& actual = file.digest(promise.digest.algorithm());
      if (actual == promise.digest) continue;
      throw core::Error(core::Kind::kIntegrity,
                        fmt::format("{}: expected {} (from {}), got {}", source, promise.digest.to_string(),
                                    promise.by, actual.to_string()));
    }
    if (download_.verify) {
      try {
        download_.verify(file.path());
      } catch (core::Error& error) {
        core::Error named(error.kind(), source + ": " + error.message());
        throw named.hint(error.hint()).quote(error.quote());
      }
    }
  } catch (core::Error& error) {
    if (!mirror_may_help(error)) throw;
    wrong(std::move(error));
    return;
  }
  const bool small = file.size() < kSmallFile;
  artifacts::VerifiedFile blob =
      shared_.context.blobs.adopt(file, small ? shared_.small_files : artifacts::Durability::kSynced);
  partial_->adopted();
  finish(std::move(blob), FetchReport::From::kNetwork);
}

/// Every byte is there and the file is not what it should be. Only bad chunks are fetched again where they
/// are known; what came from several places or runs gets one clean try; else the mirror is to blame.
void DownloadTask::wrong(core::Error error) {
  if (repair_chunks()) return;
  if (mixed_) {
    shared_.context.progress.warn(error.message() + "; fetching it anew, in one piece");
    restart();
    return;
  }
  const std::filesystem::path aside = partial_->reject();
  partial_.reset();
  shared_.progress.take_back(*total_);
  if (!download_.size) total_.reset();
  if (error.hint().empty()) {
    error.hint("the mirror's copy is damaged or not what was promised; it was put aside as " +
               aside.native());
  }
  for (Mirror& mirror : mirrors_.list()) {
    if (mirror.excluded || (mirror.url != last_url_ && !last_url_.empty())) continue;
    mirrors_.exclude(mirror, error);
    break;
  }
  if (!mirrors_.all_excluded()) shared_.context.progress.warn(error.message() + "; trying the next mirror");
}

bool DownloadTask::repair_chunks() {
  const std::optional<ChunkList>& list = download_.chunks;
  if (!list || list->size != *total_ || repairs_ >= kMostRepairs) return false;
  artifacts::IncomingFile& file = partial_->file();
  const std::vector<artifacts::ByteRange> bad = bad_chunks(*list, file.fd(), file.path().native());
  if (bad.empty() || bad.size() == list->digests.size()) return false;
  ++repairs_;
  shared_.context.progress.warn(fmt::format("{}: {} of {} chunks are damaged, fetching them again",
                                            download_.name, bad.size(), list->digests.size()));
  partial_->scatter();
  for (const artifacts::ByteRange& range : bad) {
    file.drop(range);
    shared_.progress.take_back(range.size());
  }
  most_ = file.total();
  for (Mirror& mirror : mirrors_.list()) mirror.suspect = mirror.suspect || mirror.url == last_url_;
  return true;
}

void DownloadTask::finish(artifacts::VerifiedFile file, FetchReport::From from) {
  partial_.reset();
  if (const std::string name = known_name(download_); !name.empty() && from == FetchReport::From::kNetwork)
    shared_.known.record(name, file.digest());
  if (shared_.context.report) {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = began_ == Time{} ? 0 : std::chrono::duration<double>(now - began_).count();
    shared_.context.report({.name = download_.name,
                            .from = from,
                            .url = from == FetchReport::From::kNetwork ? redacted_url(last_url_) : "",
                            .size = file.size(),
                            .transferred = transferred_,
                            .resumed = resumed_,
                            .seconds = seconds,
                            .sha256 = file.digest()});
  }
  shared_.progress.finish_one();
  file_ = std::move(file);
}

}  // namespace imgforge::fetch
