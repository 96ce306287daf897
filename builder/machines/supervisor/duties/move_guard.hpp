// What the process of a machine does when the command that moved it, or a copy of it, is gone before the end.
#pragma once

#include <filesystem>
#include <functional>

#include "builder/machines/supervisor/talk/dialogue.hpp"

namespace imgforge::machines {

/// QEMU's name of the job that mirrors the disk of a machine that leaves.
inline constexpr const char* kMirrorJob = "move-disk";
/// Likewise of the disk on the other side. One that is left over would fail each later move: QEMU cannot give
/// it up.
inline constexpr const char* kMirrorNode = "move-there";

/// Decides by the mark in the machine's folder (registry/move_mark.hpp):
///
///   none        it may run: it goes on, if it was held
///   "leaving"   likewise, and the move is over
///   "gone"      the other one runs: `stop`
///   "arriving"  without its whole state it ends; with it, it waits for word from where it comes
void settle_abandoned_move(const std::filesystem::path& folder, Dialogue& monitor,
                           const std::function<void()>& stop);

}  // namespace imgforge::machines
