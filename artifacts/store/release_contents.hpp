// The files of a release against its manifest, for whoever is content with what a memory of digests says of
// files that have not changed since. Only publishing is; all others hash (release_check.hpp).
#pragma once

#include <filesystem>
#include <optional>

#include "artifacts/blobs/digest_memory.hpp"
#include "artifacts/check/release_check.hpp"
#include "core/digest.hpp"

namespace imgforge::artifacts {

/// The first finding about a file that is not as the manifest says. What `memory` knows is not opened, what
/// it does not is hashed and remembered; null: everything is hashed.
std::optional<CheckRow> find_damage(const std::filesystem::path& directory, const Manifest& manifest,
                                    DigestMemory* memory);
/// What is in a finished file, which nobody has open for writing, that will be synced and moved to `place`:
/// it is sealed, read once and remembered.
core::FileDigests digests_of_new(const std::filesystem::path& file, const std::filesystem::path& place,
                                 DigestMemory* memory);

}  // namespace imgforge::artifacts
