#include "builder/fetch/downloader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/mirrors.hpp"
#include "builder/fetch/url.hpp"
#include "core/bytes.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::fetch {
namespace {

/// Sum over all files of a call, told to the progress as they arrive.
class Tally {
 public:
  Tally(const Context& context, std::size_t files) : context_(context), files_(files) {}
  void add(std::uint64_t bytes) {
    bytes_ += bytes;
    if (bytes_ >= told_ + (std::uint64_t{1} << 20)) tell();
  }
  void take_back(std::uint64_t bytes) {
    bytes_ -= bytes;
    told_ = std::min(told_, bytes_);
  }
  void finish_one() {
    ++finished_;
    tell();
  }

 private:
  void tell() {
    told_ = bytes_;
    context_.progress.update(
        context_.step, fmt::format("{} of {} files, {}", finished_, files_, core::Bytes{bytes_}.human()));
  }
  const Context& context_;
  std::size_t files_;
  std::size_t finished_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t told_ = 0;
};

class CountedFile : public FileSink {
 public:
  CountedFile(std::filesystem::path path, Tally& tally) : FileSink(std::move(path)), tally_(tally) {}
  void restart() override {
    tally_.take_back(bytes_);
    bytes_ = 0;
    FileSink::restart();
  }
  void write(std::span<const std::byte> data) override {
    FileSink::write(data);
    bytes_ += data.size();
    tally_.add(data.size());
  }
  void finish() override {
    FileSink::finish();
    tally_.finish_one();
  }

 private:
  Tally& tally_;
  std::uint64_t bytes_ = 0;
};

const core::Digest& digest_among(const core::FileDigests& digests, core::HashAlgorithm algorithm) {
  return algorithm == core::HashAlgorithm::kSha512 ? digests.sha512 : digests.sha256;
}

const core::Digest* promised_sha256(const Download& download) {
  for (const Promise& promise : download.promises) {
    if (promise.digest.algorithm() == core::HashAlgorithm::kSha256) return &promise.digest;
  }
  return nullptr;
}

/// Name of the blob for KnownFiles when only a sha512 is promised.
std::string known_name(const Download& download) {
  if (!download.known_as.empty()) return download.known_as;
  if (download.promises.empty() || promised_sha256(download) != nullptr) return {};
  return "sha512-" + download.promises.front().digest.hex();
}

void check_promises(const Download& download, const std::filesystem::path& file, std::string_view source) {
  if (download.promises.empty()) return;
  const core::FileDigests digests = core::file_digests(file);
  for (const Promise& promise : download.promises) {
    const core::Digest& actual = digest_among(digests, promise.digest.algorithm());
    if (actual == promise.digest) continue;
    throw core::Error(core::Kind::kIntegrity,
                      fmt::format("{}: expected {} (from {}), got {}", source, promise.digest.to_string(),
                                  promise.by, actual.to_string()))
        .hint("the mirror's copy is damaged or not what was promised; nothing was kept");
  }
}

}  // namespace

struct Downloader::Work {
  std::optional<artifacts::VerifiedFile> done;
  std::size_t mirror = 0;
  std::unique_ptr<CountedFile> sink;
  MirrorFailures failures;
};

Downloader::Downloader(const Context& context) : context_(context), known_(context.cache / "known") {
  core::TempDir::reclaim(context_.blobs.staging());
}

artifacts::VerifiedFile Downloader::fetch(const Download& download) {
  return std::move(fetch_all({download}).at(0));
}

std::vector<artifacts::VerifiedFile> Downloader::fetch_all(const std::vector<Download>& downloads) {
  std::vector<Work> works(downloads.size());
  for (std::size_t i = 0; i < downloads.size(); ++i) {
    context_.cancel.check();
    works[i].done = find_cached(downloads[i]);
    if (!works[i].done && context_.network == Network::kOffline) {
      throw core::Error(core::Kind::kFetch, downloads[i].name + ": offline: it is not in the cache")
          .hint("run once without --offline");
    }
  }
  while (true) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < downloads.size(); ++i) {
      if (works[i].done) continue;
      if (works[i].mirror < downloads[i].urls.size()) {
        open.push_back(i);
      } else if (works[i].failures.empty()) {
        throw core::Error(core::Kind::kFetch, downloads[i].name + ": no mirror is named");
      } else if (works[i].failures.all_absent() && !downloads[i].absent.empty()) {
        throw core::Error(core::Kind::kFetch, downloads[i].absent).hint(downloads[i].absent_hint);
      } else {
        throw works[i].failures.error(downloads[i].name);
      }
    }
    if (open.empty()) break;
    run_round(downloads, works, open);
  }
  std::vector<artifacts::VerifiedFile> files;
  for (Work& work : works) files.push_back(std::move(work.done.value()));
  return files;
}

void Downloader::run_round(const std::vector<Download>& downloads, std::vector<Work>& works,
                           const std::vector<std::size_t>& open) {
  const core::TempDir folder(context_.blobs.staging(), "download");
  Tally tally(context_, open.size());
  std::vector<Transfer> transfers;
  for (const std::size_t i : open) {
    works[i].sink = std::make_unique<CountedFile>(folder / std::to_string(i), tally);
    transfers.push_back({Request{.url = downloads[i].urls[works[i].mirror],
                                 .limit = downloads[i].limit,
                                 .size = downloads[i].size},
                         works[i].sink.get()});
  }
  std::vector<Result> results = context_.http.run(transfers, context_.jobs);
  for (std::size_t k = 0; k < open.size(); ++k) {
    context_.cancel.check();
    settle(downloads[open[k]], works[open[k]], results[k]);
  }
}

void Downloader::settle(const Download& download, Work& work, Result& result) {
  const std::unique_ptr<CountedFile> sink = std::move(work.sink);
  const std::string source = redacted_url(download.urls[work.mirror]);
  if (Failure* failure = std::get_if<Failure>(&result)) {
    work.failures.add(std::move(failure->error), failure->absent);
    ++work.mirror;
    return;
  }
  try {
    work.done = adopt(download, sink->path(), source);
  } catch (core::Error& error) {
    if (!mirror_may_help(error)) throw;
    if (work.mirror + 1 < download.urls.size()) {
      context_.progress.warn(error.message() + "; trying the next mirror");
    }
    work.failures.add(std::move(error));
    ++work.mirror;
  }
}

artifacts::VerifiedFile Downloader::adopt(const Download& download, const std::filesystem::path& file,
                                          std::string_view source) {
  check_promises(download, file, source);
  if (download.verify) {
    try {
      download.verify(file);
    } catch (core::Error& error) {
      core::Error named(error.kind(), std::string(source) + ": " + error.message());
      throw named.hint(error.hint()).quote(error.quote());
    }
  }
  const core::Digest* sha256 = promised_sha256(download);
  artifacts::VerifiedFile blob =
      context_.blobs.adopt(file, sha256 == nullptr ? std::nullopt : std::optional(*sha256));
  if (const std::string name = known_name(download); !name.empty()) known_.record(name, blob.digest());
  return blob;
}

std::optional<artifacts::VerifiedFile> Downloader::find_cached(const Download& download) {
  std::optional<core::Digest> sha256;
  if (const core::Digest* promised = promised_sha256(download)) {
    sha256 = *promised;
  } else if (const std::string name = known_name(download); !name.empty()) {
    sha256 = known_.find(name);
  }
  if (!sha256) return std::nullopt;
  std::optional<artifacts::VerifiedFile> blob = context_.blobs.find(*sha256);
  if (!blob || (download.size && blob->size() != *download.size)) return std::nullopt;
  try {
    check_promises(download, blob->path(), "the cached copy of " + download.name);
  } catch (const core::Error& error) {
    // A second name may have been recorded wrongly; then the file counts as unknown. A promise that
    // contradicts a promised sha256 is a refusal.
    if (error.kind() != core::Kind::kIntegrity || promised_sha256(download) != nullptr) throw;
    return std::nullopt;
  }
  return blob;
}

}  // namespace imgforge::fetch
