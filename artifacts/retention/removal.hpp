// Taking a release out of the store: what protects one, and the order of the steps. prune, remove, archive
// and restore share it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/store/inventory.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// Why a release must not go, whatever a policy says: "current", "pinned", "clone NAME", damage, files in its
/// folder that are not the release's, or a `current` of its line that cannot be followed. Empty: it may go.
std::vector<std::string> protections(const InventoryLine& line, const InventoryRelease& release);

/// Who uses a release right now: a program that holds a lock on its manifest.json (a long copy), or a running
/// QEMU that has one of its files open. Empty: nobody.
std::string in_use(const InventoryRelease& release);

/// A shared lock on the manifest of a release for as long as a long copy runs; while it is held the release
/// is `in_use`.
class ReadingLock {
 public:
  explicit ReadingLock(const std::filesystem::path& directory);

 private:
  core::Fd fd_;
};

/// Renames the folder of a release, in releases/ or archive/, out of sight (the one step that counts), syncs,
/// removes flat names that lead nowhere now and a month of the archive that became empty, then deletes. The
/// caller holds the store's lock and has asked `protections` and `in_use`.
void take_out(const Store& store, const InventoryRelease& release, const std::filesystem::path& directory);

/// Folder for unfinished archived releases, on the archive's file system.
std::filesystem::path archive_staging(const Store& store);

/// Removes what killed runs left in both staging folders, and flat names of releases that were taken out. The
/// caller holds the store's lock; every change begins with it.
void finish_interrupted(const Store& store);

/// Adds a line to the journal; a warning goes to `warnings`.
void note_change(const Store& store, const char* command, const InventoryRelease& release, std::string detail,
                 std::vector<std::string>& warnings);

}  // namespace imgforge::artifacts
