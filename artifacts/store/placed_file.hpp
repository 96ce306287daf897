// Files of the store that are no releases: verified files of others (Alpine's ISO images) under a flat name.
// They appear whole or not at all, stay when releases come and go, and are never replaced.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/store/store.hpp"
#include "core/cancel.hpp"

namespace imgforge::artifacts {

enum class PlaceOutcome {
  kPlaced,  ///< a new file
  kThere,   ///< a file with that name and those bytes, hashed now, was there already
};

struct PlacedFile {
  PlaceOutcome outcome = PlaceOutcome::kPlaced;
  std::filesystem::path path;
};

/// Puts `file` into the store as `<folder>/<name>`, under the store's lock: cloned where the file system can,
/// hashed again, fsynced, renamed. Throws kStore (something else has that name), kLocked, kNoSpace, kIo,
/// kIntegrity; the store is then as it was.
PlacedFile place_file(const Store& store, std::string_view folder, std::string_view name,
                      const VerifiedFile& file, const core::CancelToken& cancel,
                      std::chrono::milliseconds lock_timeout = std::chrono::seconds(60));

}  // namespace imgforge::artifacts
