// What a sandbox sees. Its init lives on a stage, a small tmpfs that holds the root file system and the
// folder of files handed over; a script has a mount namespace of its own, in which the root file system is
// all there is. Nothing but this file mounts.
#pragma once

#include <filesystem>
#include <string>

#include "core/bytes.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

/// Folders on the stage.
constexpr const char* kStageRoot = "/root";
constexpr const char* kStageIncoming = "/incoming";

/// Mounts of the host's folders, taken while they can still be reached.
struct StageParts {
  core::Fd root;      ///< writable; without devices and set-id programs in effect
  core::Fd incoming;  ///< read-only
};

/// What a root file system may take.
struct RootLimits {
  core::Bytes disk;
  core::Bytes memory;  ///< it lies in memory, and may take less; 0: it lies in a folder
};

/// Takes them. All that follows knows no path of the host. StepFailure.
StageParts take_parts(const std::filesystem::path& root, const std::filesystem::path& incoming);
/// Makes the stage, on top of the current folder, and moves there: afterwards nothing of the host is mounted
/// but these parts and six devices. Sets `limits.memory` to 0 where a root file system in memory cannot hold
/// all that packages may (extended attributes of users: Linux 6.6 and newer).
void enter_stage(const StageParts& parts, RootLimits& limits);
/// Moves from the stage into the root file system, with /proc, /dev and, when it has a name, the folder of
/// handed over files at Sandbox::kMedia. In a mount and PID namespace of its own. A root file system that has
/// no folder for them goes without.
void enter_root(const std::string& media);

}  // namespace imgforge::guest
