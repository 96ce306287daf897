// Copies of releases for another disk. A backup folder is a store itself, so that every command that reads
// one works on it (`--output-dir`); backup.json in it says what was copied from where, and when.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "artifacts/store/inventory.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

constexpr const char* kBackupFile = "backup.json";

struct BackupOptions {
  std::vector<std::string> releases;  ///< references; empty: all, also archived ones, with pins and `current`
  ChangeOptions change;
  std::function<void(const InventoryRelease&)> begin;  ///< told before each release; may be empty
};

enum class BackupOutcome {
  kCopied,     ///< was not there
  kThere,      ///< was there, hashed again now
  kReplaced,   ///< was there but damaged
  kLeftAlone,  ///< the release itself is damaged, or the folder has another release of that name
};
/// "copied", "there already", "replaced", "left alone".
std::string_view outcome_name(BackupOutcome outcome);

struct BackedUpRelease {
  std::string line;
  std::string version;
  std::filesystem::path directory;  ///< in the backup
  BackupOutcome outcome = BackupOutcome::kCopied;
  std::uint64_t bytes = 0;  ///< sizes of its files
  std::string problem;
};

struct BackupResult {
  std::vector<BackedUpRelease> releases;
  std::vector<std::string> warnings;
};

/// Copies what is missing in `target`, which becomes a store when it is empty or absent, each release by one
/// rename, and hashes every copy after it was written. The source is only read. Throws kStore when `target`
/// is something else or the store itself, kNoSpace, kIo, kPermission.
BackupResult backup(const Store& store, const std::filesystem::path& target, const BackupOptions& options);

}  // namespace imgforge::artifacts
