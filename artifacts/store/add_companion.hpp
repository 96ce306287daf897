// Files that join a published release: signatures and statements that came after it (manifest/companions).
// The only change that a release ever sees, and none of a file that it has.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "artifacts/store/release_reference.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// Gives the file its name beside the manifest by one rename, synced, mode 0444, and notes it in the journal
/// as `command`. The same text again changes nothing. Throws kStore when the name holds something else,
/// kLocked, kIo, kNoSpace, kPermission; kInternal for a name that is none of a companion.
std::filesystem::path add_companion(const Store& store, const ReleaseLocation& release,
                                    const std::string& name, std::string_view text,
                                    const std::string& command, const ChangeOptions& options);

}  // namespace imgforge::artifacts
