#include "artifacts/retention/removal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/manifest/companions.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// The first name in the folder that its manifest does not explain; empty when there is none.
std::string foreign_name(const InventoryRelease& release) {
  if (!release.strangers.empty()) return release.strangers.front();
  const Manifest& manifest = *release.manifest;
  std::set<std::string> known{kManifestFile, std::string(kManifestFile) + kSignatureSuffix, kSumsFile,
                              std::string(kSumsFile) + kSignatureSuffix};
  const auto add = [&](const std::string& file) {
    known.insert(file);
    if (release.state != ReleaseState::kArchived) return;
    for (const Packing packing : {Packing::kZstd, Packing::kXz})
      known.insert(file + std::string(packing_suffix(packing)));
  };
  for (const ManifestArtifact& artifact : manifest.artifacts) add(artifact.file);
  for (const ManifestDocument& document : manifest.documents) add(document.file);
  for (const StoredFile& file : release.files) {
    if (!known.contains(file.name) && !is_companion(file.name)) return file.name;
  }
  return "";
}

}  // namespace

std::vector<std::string> protections(const InventoryLine& line, const InventoryRelease& release) {
  std::vector<std::string> reasons;
  if (release.state == ReleaseState::kCurrent) reasons.emplace_back("current");
  if (release.pin) reasons.emplace_back("pinned");
  for (const std::string& clone : release.clones) reasons.push_back("clone " + clone);
  if (release.state == ReleaseState::kOld && !line.current)
    reasons.emplace_back(line.problem.empty() ? "its line has no current" : "its line has a broken current");
  if (!release.manifest || !release.problem.empty()) {
    reasons.push_back("damaged: " + core::escaped(release.problem, 200));
  } else if (release.manifest->line() != release.line || release.manifest->version != release.version) {
    reasons.push_back("damaged: holds the manifest of " + release.manifest->stem());
  } else if (const std::string name = foreign_name(release); !name.empty()) {
    reasons.push_back("holds " + core::escaped(name, 100) + ", which is not of the release");
  }
  return reasons;
}

std::string in_use(const InventoryRelease& release) {
  const core::Fd manifest(
      ::open((release.directory / kManifestFile).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (manifest && ::flock(manifest.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return "being read";
  if (!release.manifest) return "";
  for (const ManifestArtifact& artifact : release.manifest->artifacts) {
    if (is_open_in_qemu(release.directory / artifact.file))
      return artifact.file + " is open in a running machine";
  }
  return "";
}

ReadingLock::ReadingLock(const fs::path& directory)
    : fd_(core::open_regular(directory / kManifestFile, core::FollowLinks::kNo)) {
  ::flock(fd_.get(), LOCK_SH | LOCK_NB);
}

void take_out(const Store& store, const InventoryRelease& release, const fs::path& directory) {
  const bool archived = directory.parent_path().parent_path() != store.releases();
  const core::TempDir staging(archived ? archive_staging(store) : store.root() / ".staging", "remove");
  if (::rename(directory.c_str(), (staging / "release").c_str()) != 0)
    throw core::system_error(errno, "cannot move out of the store:", directory.native());
  core::sync_directory(directory.parent_path());
  core::sync_directory(staging.path());
  if (archived) {
    ::rmdir(directory.parent_path().c_str());  // only if that was the last release of the month
  } else {
    drop_dangling_links(store, release.line);
  }
}

fs::path archive_staging(const Store& store) {
  return store.root() / "archive" / ".staging";
}

void finish_interrupted(const Store& store) {
  core::TempDir::reclaim(store.root() / ".staging");
  core::TempDir::reclaim(archive_staging(store));
  for (const std::string& line : store.lines()) remove_leftover_links(store, line);
  drop_dangling_links(store, "");
}

void note_change(const Store& store, const char* command, const InventoryRelease& release, std::string detail,
                 std::vector<std::string>& warnings) {
  JournalEntry entry;
  entry.command = command;
  entry.line = release.line;
  entry.version = release.version;
  entry.outcome = "done";
  entry.detail = std::move(detail);
  std::string warning = append_journal(store.root(), std::move(entry));
  if (!warning.empty()) warnings.push_back(std::move(warning));
}

}  // namespace imgforge::artifacts
