// Mending what check_store finds, as far as something proves what is right: a manifest with a trusted
// signature for files of a release, the releases themselves for links. Nothing is guessed: which release is
// current is for people to say.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/fsck/fsck.hpp"

namespace imgforge::artifacts {

struct RepairOptions {
  FsckOptions check;
  BlobStore* blobs = nullptr;  ///< where lost files may be found; may be none
  /// Versions to make current, by line, where `current` is missing or broken.
  std::map<std::string, std::string> heads;
  bool apply = false;  ///< false: only say what would be done
  ChangeOptions change;
};

struct RepairStep {
  Finding finding;
  bool possible = false;
  bool done = false;
  std::string what;  ///< what is, or would be, done; or what stands in the way
};

struct RepairResult {
  std::vector<RepairStep> steps;  ///< one for each finding that is not only a note
  std::vector<std::string> warnings;
  /// Every problem is mended, or could be.
  bool ok() const;
};

/// Checks the store and mends it when `apply` is set, under its lock. Everything new is written beside,
/// checked and renamed over what was there. Throws kLocked, kInterrupted and what check_store throws; a step
/// that fails says so in `what`.
RepairResult repair(const Store& store, const RepairOptions& options);

}  // namespace imgforge::artifacts
