#include "artifacts/retention/archive.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/release_files.hpp"
#include "artifacts/retention/removal.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/release_reference.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

std::uint64_t blocks_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

/// "202611": the month of a dated version, else of the build.
std::string month_of(const InventoryRelease& release) {
  const std::optional<Version> version = Version::parse(release.version);
  if (version && !version->date.empty()) return version->date.substr(0, 6);
  const std::string& created = release.manifest->created;
  return created.substr(0, 4) + created.substr(5, 2);
}

class Archiving {
 public:
  Archiving(const Store& store, const ArchiveOptions& options) : store_(store), options_(options) {}

  ArchiveResult run() {
    std::optional<StoreLock> lock;
    if (!options_.dry_run) {
      lock.emplace(store_.root(), options_.change.lock_timeout, options_.change.cancel);
      finish_interrupted(store_);
    }
    plan();
    for (ArchivedRelease& row : result_.releases) {
      if (!row.planned.goes()) continue;
      row.directory = target_of(row.planned.release);
      for (const ManifestArtifact& artifact : row.planned.release.manifest->artifacts)
        row.before += blocks_of(row.planned.release.directory / artifact.file);
      if (!options_.dry_run) archive_one(row);
    }
    return std::move(result_);
  }

 private:
  void plan() {
    if (options_.releases.empty() || !options_.policy.empty() || !options_.lines.empty()) {
      for (PlannedRelease& row :
           plan_retention(read_inventory(store_, options_.lines), Where::kReleases, options_.policy))
        result_.releases.push_back({std::move(row), {}, 0, 0, ""});
    }
    for (const std::string& reference : options_.releases) add_named(reference);
    const std::vector<ForeignLink> links = foreign_links(store_);
    for (ArchivedRelease& row : result_.releases) note_links(row.planned, links);
  }

  void add_named(const std::string& reference) {
    const ReleaseLocation location = find_release(store_, reference);
    const Inventory inventory = read_inventory(store_, {location.line});
    const InventoryLine* line = inventory.find(location.line);
    const InventoryRelease* release = line == nullptr ? nullptr : line->find(location.version);
    if (release == nullptr) throw Error(Kind::kStore, location.reference() + " has just gone");
    if (release->state == ReleaseState::kArchived) {
      result_.releases.push_back({{*release, {"archived already"}, 0, false}, release->directory, 0, 0, ""});
      return;
    }
    std::vector<std::string> reasons = protections(*line, *release);
    if (std::string user = in_use(*release); !user.empty()) reasons.push_back(std::move(user));
    if (!reasons.empty()) {
      const bool damaged = std::any_of(reasons.begin(), reasons.end(), [](const std::string& reason) {
        return reason.starts_with("damaged: ");
      });
      throw Error(damaged ? Kind::kIntegrity : Kind::kStore,
                  release->reference() + " stays: " + core::join(reasons, ", "));
    }
    std::erase_if(result_.releases, [&](const ArchivedRelease& row) {
      return row.planned.release.directory == release->directory;
    });
    result_.releases.push_back({{*release, {}, release->stored(), false}, {}, 0, 0, ""});
  }

  fs::path target_of(const InventoryRelease& release) const {
    if (!release.archived_copy.empty()) return release.archived_copy;
    return store_.root() / "archive" / month_of(release) / release.manifest->stem();
  }

  void archive_one(ArchivedRelease& row) {
    options_.change.cancel.check();
    const InventoryRelease& release = row.planned.release;
    if (options_.begin) options_.begin(release);
    try {
      const Manifest manifest = read_release_manifest(release.directory, release.line, release.version);
      if (release.archived_copy.empty()) {
        write_copy(row, manifest);
      } else {
        // Interrupted between the two renames: the copy is whole, but is looked at before it is relied on.
        compare_small(release.directory, release.archived_copy, signed_files(release.directory));
        require_intact(release.archived_copy, manifest);
      }
      for (const ManifestArtifact& artifact : manifest.artifacts)
        row.after += blocks_of(stored_path(row.directory, artifact.file));
    } catch (const Error& error) {
      if (error.kind() != Kind::kIntegrity && error.kind() != Kind::kArchive) throw;
      row.problem = error.message();
      return;
    }
    take_out(store_, release, release.directory);
    row.planned.done = true;
    note_change(store_, "archive", release,
                row.directory.lexically_relative(store_.root()).native() + ", " +
                    core::Bytes{row.before}.human() + " -> " + core::Bytes{row.after}.human(),
                result_.warnings);
  }

  /// Everything into a staging folder of the archive's file system, read back, then one rename.
  void write_copy(const ArchivedRelease& row, const Manifest& manifest) const {
    const fs::path& source = row.planned.release.directory;
    make_folder(store_.root() / "archive");
    const core::TempDir staging(archive_staging(store_), "archive");
    const fs::path copy = staging / "release";
    if (::mkdir(copy.c_str(), 0755) != 0) throw core::system_error(errno, "cannot create", copy.native());
    const std::vector<std::string> small = signed_files(source);
    for (const std::string& file : small) copy_sealed(source / file, copy / file);
    for (const ManifestDocument& document : manifest.documents)
      copy_sealed(source / document.file, copy / document.file);
    for (const ManifestArtifact& artifact : manifest.artifacts) pack_artifact(source, copy, artifact.file);
    compare_small(source, copy, small);
    try {
      require_intact(copy, manifest);
    } catch (const Error&) {
      require_intact(source, manifest);  // the usual reason: the release itself is damaged
      throw;
    }
    core::sync_directory(copy);
    make_folder(row.directory.parent_path());
    move_into_place(copy, row.directory);
  }

  void pack_artifact(const fs::path& source, const fs::path& copy, const std::string& file) const {
    const fs::path packed = copy / (file + std::string(packing_suffix(options_.packing)));
    const std::uint64_t size = pack_file(source / file, packed, options_.packing, options_.change.cancel);
    // What a sparse file really takes is what counts.
    struct stat status {};
    if (::stat((source / file).c_str(), &status) != 0)
      throw core::system_error(errno, "cannot examine", (source / file).native());
    const std::uint64_t taken =
        std::min(static_cast<std::uint64_t>(status.st_size), blocks_of(source / file));
    if (size * 100 <= taken * (100 - kWorthPackingPercent)) {
      seal_file(packed);
      return;
    }
    if (::unlink(packed.c_str()) != 0) throw core::system_error(errno, "cannot remove", packed.native());
    copy_sealed(source / file, copy / file);
  }

  const Store& store_;
  const ArchiveOptions& options_;
  ArchiveResult result_;
};

}  // namespace

ArchiveResult archive(const Store& store, const ArchiveOptions& options) {
  if (options.releases.empty() || !options.policy.empty()) check_policy(options.policy);
  return core::while_doing("archiving", [&] { return Archiving(store, options).run(); });
}

}  // namespace imgforge::artifacts
