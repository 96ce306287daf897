#include "artifacts/retention/backup.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/release_files.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/retention/removal.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/pins.hpp"
#include "artifacts/store/release_reference.hpp"
#include "artifacts/store/yanks.hpp"
#include "core/atomic_file.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBackupFile = 64 << 20;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// The backup's folder as a store; an existing one must be one already or be empty.
Store open_target(const Store& source, const fs::path& target) {
  std::error_code error;
  if (fs::is_directory(target, error) && !is_there(target / ".imgforge-store") &&
      !fs::is_empty(target, error)) {
    throw Error(Kind::kStore, target.native() + " holds something else than a backup")
        .hint("name an empty or new folder");
  }
  fs::create_directories(target, error);
  if (error) throw core::system_error(error.value(), "cannot create", target.native());
  const fs::path from = fs::canonical(source.root());
  const fs::path to = fs::canonical(target);
  if (from == to) throw Error(Kind::kUsage, "a store is no backup of itself");
  if (const fs::path inside = to.lexically_relative(from); !inside.empty() && *inside.begin() != "..")
    throw Error(Kind::kUsage, target.native() + " is inside the store").hint("name a folder outside of it");
  return Store::create(target);
}

class Backup {
 public:
  Backup(const Store& source, Store target, const BackupOptions& options)
      : source_(source), target_(std::move(target)), options_(options) {}

  BackupResult run() {
    const StoreLock lock(target_.root(), options_.change.lock_timeout, options_.change.cancel);
    finish_interrupted(target_);
    const Inventory inventory = read_inventory(source_);
    for (const InventoryRelease* release : chosen(inventory)) {
      options_.change.cancel.check();
      if (options_.begin) options_.begin(*release);
      result_.releases.push_back(copy(*release));
    }
    for (const InventoryLine& line : inventory.lines) point(line);
    if (options_.releases.empty()) {
      copy_marks(kPinsFolder);
      copy_marks(kYankedFolder);
      copy_catalogue();
    }
    write_list();
    note();
    return std::move(result_);
  }

 private:
  std::vector<const InventoryRelease*> chosen(const Inventory& inventory) const {
    if (options_.releases.empty()) return inventory.releases();
    std::vector<const InventoryRelease*> found;
    for (const std::string& reference : options_.releases) {
      const ReleaseLocation location = find_release(source_, reference);
      const InventoryLine* line = inventory.find(location.line);
      const InventoryRelease* release = line == nullptr ? nullptr : line->find(location.version);
      if (release == nullptr) throw Error(Kind::kStore, location.reference() + " has just gone");
      if (std::find(found.begin(), found.end(), release) == found.end()) found.push_back(release);
    }
    return found;
  }

  BackedUpRelease copy(const InventoryRelease& release) {
    BackedUpRelease row{release.line, release.version, {}, BackupOutcome::kLeftAlone, 0, ""};
    try {
      const ReadingLock reading(release.directory);
      const Manifest manifest = read_release_manifest(release.directory, release.line, release.version);
      for (const ManifestArtifact& artifact : manifest.artifacts) row.bytes += artifact.size;
      row.directory = place_of(release);
      if (is_there(row.directory)) {
        // A release of that name that its own manifest calls intact is never replaced.
        row.problem = difference(release, row.directory);
        if (row.problem.empty()) {
          row.outcome = BackupOutcome::kThere;
          return row;
        }
        if (is_other_release(release, row.directory)) return row;
        row.problem.clear();
        write(release, manifest, row.directory);
        row.outcome = BackupOutcome::kReplaced;
        return row;
      }
      write(release, manifest, row.directory);
      row.outcome = BackupOutcome::kCopied;
    } catch (const Error& error) {
      if (error.kind() != Kind::kIntegrity && error.kind() != Kind::kArchive) throw;
      row.problem = error.message();
    }
    return row;
  }

  /// Where a release lies in the backup: as in the store, unless it was archived or restored since.
  fs::path place_of(const InventoryRelease& release) const {
    const fs::path own = target_.root() / release.directory.lexically_relative(source_.root());
    if (is_there(own)) return own;
    const Inventory there = read_inventory(target_, {release.line});
    const InventoryLine* line = there.find(release.line);
    const InventoryRelease* known = line == nullptr ? nullptr : line->find(release.version);
    return known == nullptr ? own : known->directory;
  }

  /// Why the copy is not the release; empty when it is, byte for byte.
  static std::string difference(const InventoryRelease& release, const fs::path& there) {
    try {
      compare_small(release.directory, there, signed_files(release.directory));
      require_intact(there, read_release_manifest(there, release.line, release.version));
      return "";
    } catch (const Error& error) {
      return error.message();
    }
  }
  static bool is_other_release(const InventoryRelease& release, const fs::path& there) {
    try {
      const Manifest other = read_release_manifest(there, release.line, release.version);
      require_intact(there, other);
      return core::read_text_file(there / kManifestFile, kMaxManifestBytes) !=
             core::read_text_file(release.directory / kManifestFile, kMaxManifestBytes);
    } catch (const Error&) {
      return false;
    }
  }

  void write(const InventoryRelease& release, const Manifest& manifest, const fs::path& place) const {
    const bool archived = release.state == ReleaseState::kArchived;
    if (archived) make_folder(target_.root() / "archive");
    make_folder(archived ? place.parent_path() : target_.releases());
    make_folder(place.parent_path());
    const core::TempDir staging(archived ? archive_staging(target_) : target_.root() / ".staging", "backup");
    const fs::path fresh = staging / "release";
    if (::mkdir(fresh.c_str(), 0755) != 0) throw core::system_error(errno, "cannot create", fresh.native());
    const std::vector<std::string> small = signed_files(release.directory);
    for (const std::string& file : small) copy_sealed(release.directory / file, fresh / file);
    const auto bring = [&](const std::string& file) {
      options_.change.cancel.check();
      const fs::path stored = stored_path(release.directory, file);
      copy_sealed(stored, fresh / stored.filename());
    };
    for (const ManifestDocument& row : manifest.documents) bring(row.file);
    for (const ManifestArtifact& row : manifest.artifacts) {
      bring(row.file);
      if (!archived && ::symlink(row.file.c_str(), (fresh / plain_name(manifest, row)).c_str()) != 0)
        throw core::system_error(errno, "cannot link", (fresh / row.file).native());
    }
    compare_small(release.directory, fresh, small);
    require_intact(fresh, manifest);
    core::sync_directory(fresh);
    if (!is_there(place)) return move_into_place(fresh, place);
    // A damaged copy: the two change places in one step, and the old one goes with the staging folder.
    change_places(fresh, place);
  }

  /// Flat names of all releases that were copied, and `current`: as in the store after a whole backup, else
  /// only where there is none.
  void point(const InventoryLine& line) {
    std::string current;
    for (const BackedUpRelease& row : result_.releases) {
      const bool in_place = row.directory.parent_path() == target_.line_directory(line.name);
      if (row.line != line.name || !in_place || row.outcome == BackupOutcome::kLeftAlone) continue;
      const Manifest manifest = read_release_manifest(row.directory, row.line, row.version);
      for (const FlatLink& link : flat_links(target_, manifest)) {
        if (link.target.find("/current/") == std::string::npos) make_flat_link(link);
      }
      if (current.empty() || row.version == line.current) current = row.version;
    }
    const bool whole = options_.releases.empty() && line.current == current;
    if (current.empty() || (!whole && target_.current(line.name))) return;
    point_at(target_, read_release_manifest(target_.line_directory(line.name) / current, line.name, current));
  }

  void copy_marks(const char* folder) {
    for (const auto& [reference, mark] : read_pins(source_.root(), folder)) {
      if (mark.problem.empty()) write_pin(target_.root(), reference, mark, folder);
    }
  }

  /// Its files sign themselves; the timestamp names all others, so it comes last.
  void copy_catalogue() {
    const fs::path from = source_.root() / kCatalogueFolder;
    if (!fs::is_directory(from)) return;
    const StoreLock lock(source_.root(), options_.change.lock_timeout, options_.change.cancel);
    fs::create_directories(target_.root() / kCatalogueFolder);
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".json") && entry.symlink_status().type() == fs::file_type::regular)
        names.push_back(name);
    }
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return std::pair(a == "timestamp.json", a) < std::pair(b == "timestamp.json", b);
    });
    for (const std::string& name : names)
      core::write_file_atomically(target_.root() / kCatalogueFolder / name,
                                  core::read_text_file(from / name, kMaxBackupFile));
  }

  /// backup.json: every release of the backup with the digest of its manifest, and when it was last compared.
  void write_list() const {
    const fs::path file = target_.root() / kBackupFile;
    Json rows = Json::object();
    if (is_there(file)) {
      try {
        rows = core::parse_json(core::read_text_file(file, kMaxBackupFile), kBackupFile, {kMaxBackupFile, 8})
                   .at("releases");
      } catch (const std::exception&) {
        rows = Json::object();  // it is made anew of what is known now
      }
    }
    const std::string now = core::iso_time(core::system_clock().now());
    for (const BackedUpRelease& row : result_.releases) {
      if (row.outcome == BackupOutcome::kLeftAlone) continue;
      rows[row.line + "@" + row.version] = {
          {"directory", row.directory.lexically_relative(target_.root()).native()},
          {"manifest_sha256",
           core::digest_of_file(core::HashAlgorithm::kSha256, row.directory / kManifestFile).hex()},
          {"compared", now}};
    }
    const std::string from = fs::canonical(source_.root()).native();
    core::write_file_atomically(
        file, core::print_json({{"schema", 1}, {"store", core::escaped(from, 4096)}, {"releases", rows}}));
  }

  void note() {
    const auto copied = std::count_if(result_.releases.begin(), result_.releases.end(), [](const auto& row) {
      return row.outcome == BackupOutcome::kCopied || row.outcome == BackupOutcome::kReplaced;
    });
    if (copied == 0) return;
    JournalEntry entry;
    entry.command = "backup";
    entry.outcome = "done";
    entry.detail = std::to_string(copied) + " releases copied";
    if (std::string warning = append_journal(target_.root(), std::move(entry)); !warning.empty())
      result_.warnings.push_back(std::move(warning));
  }

  const Store& source_;
  const Store target_;
  const BackupOptions& options_;
  BackupResult result_;
};

}  // namespace

std::string_view outcome_name(BackupOutcome outcome) {
  switch (outcome) {
    case BackupOutcome::kCopied:
      return "copied";
    case BackupOutcome::kThere:
      return "there already";
    case BackupOutcome::kReplaced:
      return "replaced";
    case BackupOutcome::kLeftAlone:
      return "left alone";
  }
  return "?";
}

BackupResult backup(const Store& store, const fs::path& target, const BackupOptions& options) {
  return core::while_doing("backing up to " + target.native(),
                           [&] { return Backup(store, open_target(store, target), options).run(); });
}

}  // namespace imgforge::artifacts
