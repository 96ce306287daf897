#include "artifacts/fsck/repair.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <set>
#include <system_error>

#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/pins.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// What a finding needs: a text, and the deed when it is wanted.
struct Mend {
  std::string what;
  std::function<void()> apply;  ///< empty: cannot be mended
};

class Repair {
 public:
  Repair(const Store& store, const RepairOptions& options)
      : store_(store), options_(options), inventory_(read_inventory(store)) {}

  RepairResult run() {
    std::vector<Finding> findings = check_store(store_, options_.check).findings;
    // Files before the links that lead to them.
    std::stable_partition(findings.begin(), findings.end(),
                          [](const Finding& finding) { return finding.damage == Damage::kFile; });
    for (const Finding& finding : findings) {
      if (is_note(finding.damage)) continue;
      options_.change.cancel.check();
      RepairStep step{finding, false, false, ""};
      try {
        const Mend mend = mend_for(finding);
        step.what = mend.what;
        step.possible = static_cast<bool>(mend.apply);
        if (step.possible && options_.apply) {
          mend.apply();
          step.done = true;
        }
      } catch (const Error& error) {
        if (error.kind() == Kind::kInterrupted) throw;
        step.possible = false;
        step.what = error.message();
      }
      if (step.done) note(step);
      if (step.possible && finding.damage == Damage::kFile) mended_.insert(finding.path.parent_path());
      result_.steps.push_back(std::move(step));
    }
    return std::move(result_);
  }

 private:
  void note(const RepairStep& step) {
    JournalEntry entry;
    entry.command = "repair";
    entry.line = step.finding.line;
    entry.version = step.finding.version;
    entry.outcome = "done";
    entry.detail = step.what;
    std::string warning = append_journal(store_.root(), std::move(entry));
    if (!warning.empty()) result_.warnings.push_back(std::move(warning));
  }

  const InventoryRelease* release_of(const Finding& finding) const {
    const InventoryLine* line = inventory_.find(finding.line);
    return line == nullptr ? nullptr : line->find(finding.version);
  }

  /// The manifest of a release when a trusted key vouches for it.
  std::optional<SignedManifest> proven(const fs::path& directory) const {
    VerifyOptions options;
    options.signature = options_.check.signature;
    options.contents = Contents::kLeave;
    return verify_release(directory, options).manifest;
  }

  Mend mend_for(const Finding& finding) {
    const InventoryRelease* release = release_of(finding);
    switch (finding.damage) {
      case Damage::kFile:
        return release == nullptr ? Mend{"its release cannot be read", {}} : mend_file(finding, *release);
      case Damage::kSums:
        return release == nullptr ? Mend{"its release cannot be read", {}} : mend_sums(finding, *release);
      case Damage::kPlainLink:
        return release == nullptr ? Mend{"its release cannot be read", {}}
                                  : mend_plain_link(finding, *release);
      case Damage::kFlatLink:
        return mend_flat_link(finding);
      case Damage::kCurrent:
        return mend_current(finding);
      case Damage::kSignature:
        return {"only the owner of a trusted key can sign it again: build it anew", {}};
      case Damage::kManifest:
        return {"without its manifest nothing says what the release was: build it anew", {}};
      case Damage::kPin:
        return finding.path.parent_path().filename() == kYankedFolder
                   ? Mend{"imgforge unyank " + finding.path.filename().native() + ", or yank it again", {}}
                   : Mend{"imgforge unpin " + finding.path.filename().native() + ", or pin it again", {}};
      default:
        return {"has to be looked at by hand", {}};
    }
  }

  Mend mend_file(const Finding& finding, const InventoryRelease& release) {
    const std::optional<SignedManifest> manifest = proven(release.directory);
    if (!manifest) return {"no trusted signature says what it should be", {}};
    const std::string name = finding.path.filename().native();
    for (const ManifestArtifact& row : manifest->manifest().artifacts)
      if (row.file == name) return mend_content(finding.path, row.size, row.sha256, row.sha512);
    for (const ManifestDocument& row : manifest->manifest().documents)
      if (row.file == name) return mend_content(finding.path, row.size, row.sha256, row.sha512);
    return {"the manifest does not list it", {}};
  }

  /// Bytes with that digest elsewhere: in the cache of blobs, or in another release.
  Mend mend_content(const fs::path& target, std::uint64_t size, const core::Digest& sha256,
                    const core::Digest& sha512) {
    std::error_code error;
    const auto type = fs::symlink_status(target, error).type();
    if (type != fs::file_type::regular && type != fs::file_type::not_found)
      return {"something else than a file has its name: move it elsewhere", {}};
    std::optional<fs::path> source;
    if (options_.blobs != nullptr) {
      if (const auto blob = options_.blobs->find(sha256)) source = blob->path();
    }
    for (const InventoryRelease* other : inventory_.releases()) {
      if (source || !other->manifest) continue;
      for (const ManifestArtifact& row : other->manifest->artifacts) {
        const fs::path candidate = other->directory / row.file;
        if (row.sha256 == sha256 && candidate != target && check_file(candidate, size, sha256, sha512).ok)
          source = candidate;
      }
    }
    if (!source) return {"neither the cache nor another release has its bytes: build it anew", {}};
    return {"restore it from " + source->native(), [this, target, size, sha256, sha512, from = *source] {
              replace(target, [&](const fs::path& fresh) {
                core::clone_file(from, fresh, 0644);
                const CheckRow row = check_file(fresh, size, sha256, sha512);
                if (!row.ok) throw Error(Kind::kIntegrity, "the copy: " + row.detail);
              });
            }};
  }

  /// Lets `make` write a new file in a staging folder, makes it durable and renames it over `target`.
  void replace(const fs::path& target, const std::function<void(const fs::path&)>& make) const {
    const core::TempDir staging(store_.root() / ".staging", "repair");
    const fs::path fresh = staging / target.filename().native();
    make(fresh);
    const core::Fd fd = core::open_file(fresh, O_RDWR | O_NOFOLLOW);
    if (::fchmod(fd.get(), 0444) != 0)
      throw core::system_error(errno, "cannot set the mode of", fresh.native());
    core::sync_fd(fd.get(), fresh.native());
    if (::rename(fresh.c_str(), target.c_str()) != 0)
      throw core::system_error(errno, "cannot replace", target.native());
    core::sync_directory(target.parent_path());
  }

  Mend mend_sums(const Finding& finding, const InventoryRelease& release) {
    const std::optional<SignedManifest> manifest = proven(release.directory);
    if (!manifest) return {"no trusted signature says what it should be", {}};
    const std::string text = print_sums(manifest->manifest(), manifest->digest());
    return {"write it again from the signed manifest", [this, text, target = finding.path] {
              replace(target, [&](const fs::path& fresh) { core::write_new_file(fresh, text); });
            }};
  }

  Mend mend_plain_link(const Finding& finding, const InventoryRelease& release) {
    const std::optional<SignedManifest> manifest = proven(release.directory);
    if (!manifest) return {"no trusted signature says where it should lead", {}};
    std::error_code error;
    const auto type = fs::symlink_status(finding.path, error).type();
    if (type != fs::file_type::symlink && type != fs::file_type::not_found)
      return {"something else than a link has its name: move it elsewhere", {}};
    for (const ManifestArtifact& row : manifest->manifest().artifacts) {
      if (plain_name(manifest->manifest(), row) != finding.path.filename()) continue;
      return {"link it to " + row.file,
              [path = finding.path, file = row.file] { core::replace_symlink(path, file); }};
    }
    return {"the manifest does not say where it should lead", {}};
  }

  Mend mend_flat_link(const Finding& finding) {
    for (const InventoryRelease* release : inventory_.releases()) {
      if (!release->manifest || release->state == ReleaseState::kArchived) continue;
      for (const FlatLink& link : flat_links(store_, *release->manifest)) {
        const bool plain = link.target.find("/current/") != std::string::npos;
        if (link.path != finding.path || (plain && release->state != ReleaseState::kCurrent)) continue;
        trusted_manifest(release->directory, options_.check.signature);
        check_flat_link(link);
        if (!finding.detail.starts_with("missing") &&
            !fs::exists(release->directory / fs::path(link.target).filename()))
          return {"is right again once the release's file is back",
                  mended_.contains(release->directory) ? std::function<void()>([] {}) : nullptr};
        return {"link it to " + link.target, [link] { make_flat_link(link); }};
      }
    }
    std::error_code error;
    const std::string target = fs::read_symlink(finding.path, error).native();
    for (const InventoryLine& line : inventory_.lines) {
      if (line.current || !target.starts_with(std::string(kFlatTarget) + line.name + "/current/")) continue;
      const std::string what = "is right again once " + line.name + " has a current release";
      return options_.heads.contains(line.name) ? Mend{what, [] {}} : Mend{what, {}};
    }
    if (!is_flat_link(finding.path)) return {"somebody else made it: has to be looked at by hand", {}};
    return {"remove it: no release has that file", [path = finding.path] {
              if (::unlink(path.c_str()) != 0)
                throw core::system_error(errno, "cannot remove", path.native());
            }};
  }

  Mend mend_current(const Finding& finding) {
    const auto head = options_.heads.find(finding.line);
    if (head == options_.heads.end()) {
      const InventoryLine* line = inventory_.find(finding.line);
      std::string newest;
      for (const InventoryRelease& release :
           line == nullptr ? std::vector<InventoryRelease>{} : line->releases) {
        if (newest.empty() && release.state != ReleaseState::kArchived) newest = release.reference();
      }
      return {
          "say which release is current with --head" + (newest.empty() ? "" : ", such as --head " + newest),
          {}};
    }
    std::error_code error;
    const auto type = fs::symlink_status(finding.path, error).type();
    if (type != fs::file_type::symlink && type != fs::file_type::not_found)
      return {"something else than a link has its name: move it elsewhere", {}};
    const InventoryLine* line = inventory_.find(finding.line);
    const InventoryRelease* release = line == nullptr ? nullptr : line->find(head->second);
    if (release == nullptr || release->state == ReleaseState::kArchived)
      return {finding.line + " has no release " + head->second, {}};
    const std::optional<SignedManifest> manifest = proven(release->directory);
    if (!manifest) return {release->reference() + " has no trusted signature", {}};
    for (const CheckRow& row : check_files(release->directory, manifest->manifest()))
      if (!row.ok) return {release->reference() + " is damaged: " + row.subject + " " + row.detail, {}};
    return {"make " + release->version + " current",
            [this, path = finding.path, found = manifest->manifest()] {
              core::replace_symlink(path, found.version);
              point_at(store_, found);
            }};
  }

  const Store& store_;
  const RepairOptions& options_;
  const Inventory inventory_;
  RepairResult result_;
  std::set<fs::path> mended_;  ///< folders of releases that get files back
};

}  // namespace

bool RepairResult::ok() const {
  return std::all_of(steps.begin(), steps.end(), [](const RepairStep& step) { return step.possible; });
}

RepairResult repair(const Store& store, const RepairOptions& options) {
  std::optional<StoreLock> lock;
  if (options.apply) {
    lock.emplace(store.root(), options.change.lock_timeout, options.change.cancel);
    // What an earlier run left; links that lead nowhere are findings and wait for their turn.
    core::TempDir::reclaim(store.root() / ".staging");
    for (const std::string& line : store.lines()) remove_leftover_links(store, line);
  }
  return Repair(store, options).run();
}

}  // namespace imgforge::artifacts
