// The end of a download: every promise is checked, damage is located, and what is wrong is put aside.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "builder/fetch/download/chunk_list.hpp"
#include "builder/fetch/download/download_task.hpp"
#include "builder/fetch/download/segment.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::fetch {
namespace {

constexpr int kMostRepairs = 3;
constexpr std::uint64_t kSmallFile = 1 << 20;
constexpr std::uint64_t kListFrom = 64 << 20;  ///< smaller files are fetched again as a whole
constexpr std::uint64_t kListLimit = 128 << 20;

std::filesystem::path list_path(const Context& context, const core::Digest& sha256) {
  return context.cache / "chunks" / (sha256.hex() + ".chunks");
}

const core::Digest* sha256_of(const Download& download) {
  for (const Promise& promise : download.promises) {
    if (promise.digest.algorithm() == core::HashAlgorithm::kSha256) return &promise.digest;
  }
  return nullptr;
}

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
  keep_chunk_list(file.digest());
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
  forget_total();
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
  const std::optional<ChunkList> list = chunk_list();
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

/// What the caller gave, or what an earlier good download of the same bytes left.
std::optional<ChunkList> DownloadTask::chunk_list() const {
  if (download_.chunks) return download_.chunks;
  const core::Digest* sha256 = sha256_of(download_);
  if (sha256 == nullptr) return std::nullopt;
  try {
    const std::filesystem::path path = list_path(shared_.context, *sha256);
    return parse_chunks(core::read_text_file(path, kListLimit), path.native());
  } catch (const core::Error&) {
    return std::nullopt;  // there is none, or it is spoiled
  }
}

void DownloadTask::keep_chunk_list(const core::Digest& sha256) const {
  const artifacts::IncomingFile& file = partial_->file();
  if (file.size() < kListFrom || file.chunks().empty()) return;
  const std::filesystem::path path = list_path(shared_.context, sha256);
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const ChunkList list{.size = file.size(), .chunk = kChunkSize, .digests = file.chunks()};
  core::write_file_atomically(path, print_chunks(list));
}

/// A blob that rotted in the cache is for the most part still good: its sound chunks are taken over.
void DownloadTask::take_sound_chunks() {
  const core::Digest* sha256 = sha256_of(download_);
  if (sha256 == nullptr) return;
  const auto rotten = shared_.context.blobs.quarantined(*sha256);
  if (!rotten) return;
  const std::optional<ChunkList> list = chunk_list();
  if (!list || (total_ && list->size != *total_)) return;
  const core::Fd from = core::open_regular(*rotten, core::FollowLinks::kNo);
  artifacts::ByteRanges sound;
  sound.add({0, list->size});
  for (const artifacts::ByteRange& bad : bad_chunks(*list, from.get(), rotten->native())) sound.remove(bad);
  partial_->scatter();
  for (const artifacts::ByteRange& range : sound.list()) {
    std::uint64_t at = range.begin;
    core::read_range(from.get(), rotten->native(), at, range.size(), [&](std::span<const std::byte> data) {
      partial_->file().write(at, data);
      at += data.size();
    });
    if (at != range.end) throw core::system_error(EIO, "cannot read", rotten->native());
  }
  if (sound.empty()) return;
  if (!total_) shared_.progress.expect(list->size);
  total_ = list->size;
  shared_.context.progress.note(fmt::format("{}: the cached copy was damaged; {} of it are sound and stay",
                                            download_.name, core::Bytes{sound.total()}.human()));
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
