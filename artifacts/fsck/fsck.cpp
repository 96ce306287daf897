#include "artifacts/fsck/fsck.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <system_error>
#include <tuple>

#include "artifacts/codec/packed_file.hpp"
#include "artifacts/fsck/leftovers.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/yanks.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// One file that has to be hashed.
struct Job {
  const InventoryRelease* release;
  std::string file;
  std::uint64_t size;
  core::Digest sha256;
  core::Digest sha512;
};

class Fsck {
 public:
  Fsck(const Store& store, const FsckOptions& options)
      : store_(store), options_(options), inventory_(read_inventory(store)) {}

  FsckReport run() {
    const std::vector<const InventoryRelease*> releases = inventory_.releases();
    report_.lines = inventory_.lines.size();
    report_.releases = releases.size();
    core::for_each_parallel(releases.size(), options_.threads,
                            [&](std::size_t i) { check_release(*releases[i]); });
    hash_files();
    for (const InventoryLine& line : inventory_.lines) check_line(line);
    check_flat_names();
    check_pins();
    check_root();
    std::sort(report_.findings.begin(), report_.findings.end(), [](const Finding& a, const Finding& b) {
      return std::tie(a.path, a.damage, a.detail) < std::tie(b.path, b.damage, b.detail);
    });
    return std::move(report_);
  }

 private:
  void add(Damage damage, const fs::path& path, std::string detail,
           const InventoryRelease* release = nullptr) {
    const std::lock_guard guard(mutex_);
    report_.findings.push_back(
        {damage, path, std::move(detail), release ? release->line : "", release ? release->version : ""});
  }

  /// All of a release but the content of its files, which become jobs.
  void check_release(const InventoryRelease& release) {
    options_.cancel.check();
    VerifyOptions options;
    options.signature = options_.signature;
    options.contents = Contents::kLeave;
    const VerifyReport report = verify_release(release.directory, options);
    for (const CheckRow& row : report.rows) {
      if (row.check == "extra") {
        const bool link = row.kind.has_value();
        add(link ? Damage::kPlainLink : Damage::kForeign, release.directory / row.subject, row.detail,
            &release);
      } else if (!row.ok) {
        add_row(release, row, report.unsigned_manifest.has_value());
      }
    }
    Manifest manifest;
    try {
      manifest =
          report.manifest
              ? report.manifest->manifest()
              : parse_manifest(core::read_text_file(release.directory / kManifestFile, kMaxManifestBytes));
    } catch (const Error&) {
      return;  // a row above says so
    }
    std::vector<std::string> switched_off = manifest.insecure;
    std::erase(switched_off, kUnsignedFlag);  // the missing signature is a finding of its own
    if (!switched_off.empty())
      add(Damage::kInsecure, release.directory, "made with " + core::join(switched_off, ", "), &release);
    for (const ManifestArtifact& artifact : manifest.artifacts) {
      if (release.state == ReleaseState::kArchived) break;  // has no links
      std::error_code error;
      const fs::path link = release.directory / plain_name(manifest, artifact);
      if (!fs::is_symlink(fs::symlink_status(link, error)) && !fs::exists(link, error))
        add(Damage::kPlainLink, link, "missing", &release);
    }
    if (!report.manifest && !report.unsigned_manifest)
      return;  // nothing is hashed for a manifest of anybody's
    const std::lock_guard guard(mutex_);
    for (const ManifestArtifact& file : manifest.artifacts)
      jobs_.push_back({&release, file.file, file.size, file.sha256, file.sha512});
    for (const ManifestDocument& file : manifest.documents)
      jobs_.push_back({&release, file.file, file.size, file.sha256, file.sha512});
  }

  void add_row(const InventoryRelease& release, const CheckRow& row, bool is_unsigned) {
    const bool sums = row.subject == kSumsFile;
    Damage damage = sums ? Damage::kSums : Damage::kManifest;
    if (row.check == "signature") damage = Damage::kSignature;
    if (row.check == "listing" || row.check == "directory") damage = Damage::kUnreadable;
    const bool whole = row.check == "name" || row.check == "directory" || row.check == "listing";
    const bool meant = row.check == "signature" && is_unsigned;
    add(damage, whole ? release.directory : release.directory / row.subject,
        meant ? "published unsigned" : row.detail, &release);
  }

  /// Large files first, so that no core is left with the largest at the end.
  void hash_files() {
    std::sort(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) { return a.size > b.size; });
    for (const Job& job : jobs_) report_.bytes += job.size;
    report_.files = jobs_.size();
    std::atomic<std::uint64_t> done{0};
    core::for_each_parallel(jobs_.size(), options_.threads, [&](std::size_t i) {
      options_.cancel.check();
      const Job& job = jobs_[i];
      const fs::path& folder = job.release->directory;
      const CheckRow row =
          check_stored_file(folder, job.file, job.size, job.sha256, job.sha512, options_.digests);
      if (!row.ok) add(Damage::kFile, stored_path(folder, job.file), row.detail, job.release);
      done += job.size;
      if (options_.progress) options_.progress(done, report_.bytes);
    });
  }

  void check_line(const InventoryLine& line) {
    const fs::path folder = store_.line_directory(line.name);
    const bool alive = std::any_of(line.releases.begin(), line.releases.end(), [](const auto& release) {
      return release.state != ReleaseState::kArchived;
    });
    if (!line.problem.empty()) {
      report_.findings.push_back({Damage::kCurrent, folder / "current", line.problem, line.name, ""});
    } else if (alive && !line.current) {
      report_.findings.push_back({Damage::kCurrent, folder / "current", "missing", line.name, ""});
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().native();
      if (name == "current" || line.find(name) != nullptr) continue;
      add_stranger(entry.path());
    }
  }

  /// What is in a folder of the store and belongs to no release.
  void add_stranger(const fs::path& path) {
    const std::string name = path.filename().native();
    if (is_temporary_name(name)) {
      add(Damage::kInterrupted, path, "temporary file of a run that was killed");
    } else {
      add(Damage::kForeign, path, "not of imgforge; it is kept");
    }
  }

  void check_flat_names() {
    std::map<fs::path, std::string> wanted;
    std::map<fs::path, const InventoryRelease*> owner;
    for (const InventoryRelease* release : inventory_.releases()) {
      if (!release->manifest || release->state == ReleaseState::kArchived) continue;
      try {
        for (const FlatLink& link : flat_links(store_, *release->manifest)) {
          const bool plain = link.target.find("/current/") != std::string::npos;
          if (plain && release->state != ReleaseState::kCurrent) continue;
          wanted[link.path] = link.target;
          owner[link.path] = release;
        }
      } catch (const Error& error) {
        add(Damage::kManifest, release->directory, error.message(), release);
      }
    }
    for (const std::string& folder : flat_folders()) {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(store_.root() / folder, error)) {
        check_flat_name(entry.path(), wanted);
      }
    }
    for (const auto& [path, target] : wanted) add(Damage::kFlatLink, path, "missing", owner[path]);
  }

  /// One entry of a flat folder; what is as it should be is taken out of `wanted`.
  void check_flat_name(const fs::path& path, std::map<fs::path, std::string>& wanted) {
    std::error_code error;
    const auto expected = wanted.find(path);
    const bool is_link = fs::is_symlink(fs::symlink_status(path, error));
    const std::string target = is_link ? fs::read_symlink(path, error).native() : "";
    if (expected == wanted.end()) {
      is_link ? check_foreign_link(path, target) : add_stranger(path);
      return;
    }
    if (!is_link) {
      add(Damage::kFlatLink, path, "is not a link; it hides the release's file");
    } else if (target != expected->second) {
      add(Damage::kFlatLink, path,
          "leads to " + core::escaped(target, 200) + " instead of " + expected->second);
    } else if (!fs::exists(path, error)) {
      add(Damage::kFlatLink, path, "leads to " + target + ", which is missing");
    }
    wanted.erase(expected);
  }

  /// A link in a flat folder that is none of a release's names: kept, unless it leads nowhere or is called
  /// like another release's file.
  void check_foreign_link(const fs::path& path, const std::string& target) {
    const std::string name = path.filename().native();
    std::error_code error;
    const fs::path file = fs::canonical(path, error);
    if (is_temporary_name(name)) return add_stranger(path);
    const std::string leads = "leads to " + core::escaped(target, 200);
    if (error) return add(Damage::kFlatLink, path, leads + ", which is missing");
    for (const InventoryRelease* release : inventory_.releases()) {
      if (!release->manifest || fs::canonical(release->directory, error) != file.parent_path()) continue;
      const std::string stem = release->manifest->stem();
      const std::string ending =
          file.filename().native().substr(std::min(stem.size(), file.filename().native().size()));
      if (name.ends_with(ending) && claims_release(name.substr(0, name.size() - ending.size())))
        return add(Damage::kFlatLink, path, leads + ", which is not what it is called like", release);
    }
    add(Damage::kForeign, path, leads + "; it is not of imgforge and is kept");
  }

  /// Whether that is what imgforge calls a release of a line of this store, with version or without.
  bool claims_release(const std::string& stem) const {
    return std::any_of(inventory_.lines.begin(), inventory_.lines.end(), [&](const InventoryLine& line) {
      if (stem == line.name || !stem.starts_with(line.name + "-")) return stem == line.name;
      const std::string rest = stem.substr(line.name.size() + 1);
      const std::optional<Version> version = Version::parse(rest);
      return line.find(rest) != nullptr || (version && version->chosen.empty());
    });
  }

  void check_clone(const InventoryRelease& release, const std::string& name) {
    const std::optional<Clone> clone = read_clone(store_.root(), name);
    if (!clone) return;
    const fs::path record = store_.root() / kClonesFolder / name;
    if (!clone->problem.empty()) add(Damage::kClone, record, clone->problem, &release);
    std::error_code error;
    if (clone->problem.empty() && !fs::exists(clone->directory / kCloneDisk, error))
      add(Damage::kClone, clone->directory, "its disk is missing; imgforge remove " + name, &release);
  }

  void check_pins() {
    const fs::path folder = store_.root() / kPinsFolder;
    for (const InventoryRelease* release : inventory_.releases()) {
      if (release->pin && !release->pin->problem.empty())
        add(Damage::kPin, folder / release->reference(), release->pin->problem, release);
    }
    for (const std::string& reference : inventory_.stray_pins)
      add(Damage::kPin, folder / reference, "pins a release that is not there");
    const std::vector<const InventoryRelease*> releases = inventory_.releases();
    for (const auto& [reference, mark] : read_pins(store_.root(), kYankedFolder)) {
      const auto release =
          std::find_if(releases.begin(), releases.end(),
                       [&name = reference](const auto* row) { return row->reference() == name; });
      const fs::path file = store_.root() / kYankedFolder / reference;
      if (!mark.problem.empty())
        add(Damage::kPin, file, mark.problem, release == releases.end() ? nullptr : *release);
      else if (release == releases.end())
        add(Damage::kPin, file, "withdraws a release that is not there");
    }
  }

  void check_root() {
    static const std::set<std::string> known{
        ".imgforge-store", ".lock",    ".staging", kPinsFolder, kYankedFolder, kCatalogueFolder, ".clones",
        kJournalFile,      "releases", "archive",  "shared",    "clones",      "backup.json"};
    const std::vector<std::string> flat = flat_folders();
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store_.root(), error)) {
      const std::string name = entry.path().filename().native();
      if (known.contains(name) || std::find(flat.begin(), flat.end(), name) != flat.end()) continue;
      add_stranger(entry.path());
    }
    for (const char* folder : {".staging", "archive/.staging"}) {
      for (const auto& entry : fs::directory_iterator(store_.root() / folder, error))
        add(Damage::kInterrupted, entry.path(),
            "unfinished release; `clean` removes it once its owner is gone");
    }
    for (const InventoryRelease* release : inventory_.releases()) {
      if (!release->archived_copy.empty())
        add(Damage::kInterrupted, release->archived_copy,
            "also in releases/: `archive` or `restore` was interrupted; run it again", release);
      for (const std::string& clone : release->clones) check_clone(*release, clone);
    }
    for (const std::string& name : inventory_.stray_clones)
      add(Damage::kClone, store_.root() / kClonesFolder / name, "its release is not there");
    for (const auto& entry : fs::directory_iterator(store_.releases(), error)) {
      const std::string name = entry.path().filename().native();
      if (!is_file_name(name) || !entry.is_directory(error)) add_stranger(entry.path());
    }
    if (std::error_code journal; fs::exists(store_.root() / kJournalFile, journal)) {
      try {
        if (const std::size_t damaged = read_journal(store_.root()).damaged; damaged != 0)
          add(Damage::kInterrupted, store_.root() / kJournalFile, std::to_string(damaged) + " torn lines");
      } catch (const Error& problem) {
        add(Damage::kUnreadable, store_.root() / kJournalFile, problem.message());
      }
    }
  }

  const Store& store_;
  const FsckOptions& options_;
  const Inventory inventory_;
  std::mutex mutex_;
  std::vector<Job> jobs_;
  FsckReport report_;
};

}  // namespace

std::string_view damage_name(Damage damage) {
  switch (damage) {
    case Damage::kSignature:
      return "signature";
    case Damage::kManifest:
      return "manifest";
    case Damage::kFile:
      return "file";
    case Damage::kSums:
      return "sums";
    case Damage::kPlainLink:
      return "link";
    case Damage::kCurrent:
      return "current";
    case Damage::kFlatLink:
      return "flat name";
    case Damage::kPin:
      return "pin";
    case Damage::kClone:
      return "clone";
    case Damage::kInterrupted:
      return "leftover";
    case Damage::kForeign:
      return "foreign";
    case Damage::kInsecure:
      return "insecure";
    case Damage::kUnreadable:
      return "unreadable";
  }
  return "?";
}

bool is_note(Damage damage) {
  return damage == Damage::kInterrupted || damage == Damage::kForeign || damage == Damage::kInsecure;
}

bool FsckReport::ok() const {
  return std::all_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return is_note(finding.damage); });
}

FsckReport check_store(const Store& store, const FsckOptions& options) {
  return Fsck(store, options).run();
}

}  // namespace imgforge::artifacts
