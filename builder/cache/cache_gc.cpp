#include "builder/cache/cache_gc.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/store/inventory.hpp"
#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cache {
namespace {

namespace fs = std::filesystem;
using artifacts::CollectedFile;
using artifacts::CollectorResult;

constexpr std::uint64_t kMaxRecord = 64 << 20;

/// Digests of every record of a step that counts; the others are added to `forgotten`.
void read_steps(const fs::path& steps, const std::optional<core::UnixTime>& oldest,
                std::set<std::string>& needed, std::vector<CollectedFile>& forgotten) {
  std::error_code error;
  for (const auto& folder : fs::directory_iterator(steps, error)) {
    if (folder.path().filename().native().size() != 2) continue;  // `last` tells changes apart, no more
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder.path(), ignored)) {
      struct stat status {};
      if (entry.path().extension() != ".json" || ::lstat(entry.path().c_str(), &status) != 0) continue;
      const core::UnixTime used{std::chrono::seconds(status.st_mtim.tv_sec)};
      if (oldest && used < *oldest) {
        forgotten.push_back(
            {entry.path(), static_cast<std::uint64_t>(status.st_blocks) * 512, "step not used"});
        continue;
      }
      artifacts::add_digests(core::read_text_file(entry.path(), kMaxRecord), needed);
    }
  }
}

/// Digests that the records of models name.
void read_models(const fs::path& models, std::set<std::string>& needed) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(models, error)) {
    if (entry.path().extension() == ".json")
      artifacts::add_digests(core::read_text_file(entry.path(), kMaxRecord), needed);
  }
}

/// Digests that the manifests of a store name: artifacts, packages, base. A manifest that cannot be read
/// names none; its release is damaged, and `verify --all` says so.
void read_store(const artifacts::Store& store, std::set<std::string>& needed) {
  const artifacts::Inventory inventory = artifacts::read_inventory(store);
  for (const artifacts::InventoryRelease* release : inventory.releases()) {
    try {
      artifacts::add_digests(
          core::read_text_file(release->directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes),
          needed);
    } catch (const core::Error&) {
      continue;
    }
  }
}

/// Digests that locks name. One that is gone protects nothing any more.
void read_locks(const fs::path& folder, std::set<std::string>& needed) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    std::error_code gone;
    if (!fs::is_regular_file(entry.path(), gone)) {
      if (gone == std::errc::no_such_file_or_directory) ::unlink(entry.path().c_str());
      continue;
    }
    artifacts::add_digests(core::read_text_file(entry.path(), kMaxRecord), needed);
  }
}

}  // namespace

void protect_lock(const fs::path& cache, const fs::path& lock) {
  const fs::path target = fs::absolute(lock).lexically_normal();
  const fs::path folder = cache / "locks";
  fs::create_directories(folder);
  const fs::path link =
      folder / core::digest_of(core::HashAlgorithm::kSha256, target.native()).hex().substr(0, 32);
  std::error_code error;
  if (fs::read_symlink(link, error) != target) core::replace_symlink(link, target);
}

CollectorResult collect_cache(const fs::path& cache, const artifacts::Store* store,
                              const CacheGcOptions& options) {
  const fs::path blobs = cache / "blobs";
  CollectorResult result;
  std::error_code error;
  if (!fs::is_directory(blobs, error)) return result;
  core::Fd lock;
  if (options.apply) lock = artifacts::lock_blobs_alone(blobs);
  artifacts::CollectorOptions collector;
  if (options.older_than) collector.older_than = options.now - *options.older_than;
  collector.apply = options.apply;
  collector.cancel = options.cancel;
  std::vector<CollectedFile> forgotten;
  read_steps(cache / "steps", collector.older_than, collector.needed, forgotten);
  read_locks(cache / "locks", collector.needed);
  read_models(cache / "models", collector.needed);
  if (store != nullptr) read_store(*store, collector.needed);
  // Records before blobs: a record whose blob is gone only makes its step run again.
  for (const CollectedFile& record : forgotten) {
    if (options.apply && ::unlink(record.path.c_str()) != 0)
      throw core::system_error(errno, "cannot remove", record.path.native());
  }
  result = artifacts::collect_blobs(blobs, collector);
  result.files.insert(result.files.end(), forgotten.begin(), forgotten.end());
  if (options.apply) core::TempDir::reclaim(cache / "tmp");
  return result;
}

}  // namespace imgforge::cache
