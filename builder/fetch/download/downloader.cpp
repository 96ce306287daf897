#include "builder/fetch/download/downloader.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <memory>

#include "builder/fetch/download/download_task.hpp"
#include "builder/fetch/download/fetch_progress.hpp"
#include "core/bytes.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kSpareRoom = 16 << 20;
constexpr std::size_t kMany = 8;
constexpr std::chrono::hours kForgottenAfter{24 * 30};

const core::Digest* promised_sha256(const Download& download) {
  for (const Promise& promise : download.promises) {
    if (promise.digest.algorithm() == core::HashAlgorithm::kSha256) return &promise.digest;
  }
  return nullptr;
}

const core::Digest& digest_among(const core::FileDigests& digests, core::HashAlgorithm algorithm) {
  return algorithm == core::HashAlgorithm::kSha512 ? digests.sha512 : digests.sha256;
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
        .hint("two promises about the file contradict each other");
  }
}

/// Free bytes where the cache is, or nothing when that cannot be asked.
std::optional<std::uint64_t> free_bytes(std::filesystem::path folder) {
  std::error_code ignored;
  while (!folder.empty() && folder != folder.parent_path() && !std::filesystem::exists(folder, ignored))
    folder = folder.parent_path();
  struct statvfs status {};
  if (::statvfs(folder.empty() ? "." : folder.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

/// The tasks of one call, as Http sees them.
class TaskFeed : public Feed {
 public:
  TaskFeed(TaskShared& shared, const std::vector<const Download*>& downloads) : shared_(shared) {
    for (const Download* download : downloads) {
      tasks_.push_back(std::make_unique<DownloadTask>(shared, *download));
    }
  }

  /// Files that wait come before more streams for one that runs.
  std::optional<Transfer> next() override {
    const auto now = std::chrono::steady_clock::now();
    for (const bool running : {false, true}) {
      for (const auto& task : tasks_) {
        if (task->finished() || task->active() != running) continue;
        if (auto transfer = task->next(now)) return transfer;
      }
    }
    return std::nullopt;
  }

  bool exhausted() override {
    return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->finished(); });
  }

  void done(const Transfer& transfer, Result result) override {
    const auto now = std::chrono::steady_clock::now();
    for (const auto& task : tasks_) {
      if (task->done(transfer, result, now)) return;
    }
  }

  void check_space() const {
    std::uint64_t need = 0;
    for (const auto& task : tasks_) need += task->missing();
    const std::filesystem::path folder = partial_folder(shared_.context);
    const std::optional<std::uint64_t> there = free_bytes(folder);
    if (need == 0 || !there || *there >= need + kSpareRoom) return;
    throw core::Error(core::Kind::kNoSpace,
                      fmt::format("{} are still to be fetched, {} has room for {}", core::Bytes{need}.human(),
                                  shared_.context.cache.native(), core::Bytes{*there}.human()))
        .hint("make room there, or name another folder with --cache-dir");
  }

  std::vector<std::unique_ptr<DownloadTask>>& tasks() { return tasks_; }

 private:
  TaskShared& shared_;
  std::vector<std::unique_ptr<DownloadTask>> tasks_;
};

}  // namespace

std::filesystem::path partial_folder(const Context& context) {
  return context.cache / "partial";
}

std::string partial_name(const Download& download) {
  if (!download.promises.empty()) {
    const core::Digest* sha256 = promised_sha256(download);
    return (sha256 != nullptr ? *sha256 : download.promises.front().digest).hex();
  }
  const std::string text = "url " + (download.urls.empty() ? download.name : download.urls.front());
  return core::digest_of(core::HashAlgorithm::kSha256, text).hex();
}

std::string known_name(const Download& download) {
  if (!download.known_as.empty()) return download.known_as;
  if (download.promises.empty() || promised_sha256(download) != nullptr) return {};
  return "sha512-" + download.promises.front().digest.hex();
}

Downloader::Downloader(const Context& context) : context_(context), known_(context.cache / "known") {
  core::TempDir::reclaim(context_.blobs.staging());
  Partial::forget_old(partial_folder(context_), kForgottenAfter);
}

artifacts::VerifiedFile Downloader::fetch(const Download& download) {
  return std::move(fetch_all({download}).at(0));
}

std::vector<artifacts::VerifiedFile> Downloader::fetch_all(const std::vector<Download>& downloads) {
  std::vector<std::optional<artifacts::VerifiedFile>> cached(downloads.size());
  std::vector<const Download*> open;
  for (std::size_t i = 0; i < downloads.size(); ++i) {
    context_.cancel.check();
    cached[i] = find_cached(downloads[i]);
    if (cached[i]) {
      report_cached(downloads[i], *cached[i]);
      continue;
    }
    if (context_.network == Network::kOffline) {
      const std::string& named_by = downloads[i].named_by;
      throw core::Error(core::Kind::kFetch,
                        fmt::format("{}: offline: it is not in the cache{}", downloads[i].name,
                                    named_by.empty() ? "" : "; " + named_by + " names it"))
          .hint("run once without --offline");
    }
    open.push_back(&downloads[i]);
  }
  FetchProgress progress(context_, open.size(), open.size() == 1 ? open.front()->name : "");
  const bool many = open.size() > kMany;
  TaskShared shared{context_, known_,
                    progress, [this](const Download& download) { return find_cached(download); },
                    {},       many ? artifacts::Durability::kRemade : artifacts::Durability::kSynced};
  TaskFeed feed(shared, open);
  shared.check_space = [&feed] { feed.check_space(); };
  feed.check_space();
  if (!open.empty()) context_.http.drive(feed, context_.jobs);
  if (many) context_.blobs.sync();
  std::vector<artifacts::VerifiedFile> files;
  std::size_t fetched = 0;
  for (auto& file : cached) files.push_back(file ? std::move(*file) : feed.tasks()[fetched++]->take());
  progress.done();
  return files;
}

void Downloader::report_cached(const Download& download, const artifacts::VerifiedFile& file) const {
  if (!context_.report) return;
  context_.report({.name = download.name, .size = file.size(), .sha256 = file.digest()});
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
  // The store has just hashed it: only promises of another kind are left to check.
  const bool proven = std::all_of(download.promises.begin(), download.promises.end(),
                                  [&](const Promise& promise) { return promise.digest == blob->digest(); });
  if (proven) return blob;
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
