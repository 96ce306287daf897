// Snapshots of a machine: of its disk (and UEFI's variables) while it is stopped, of these and its memory
// together while it runs. They are in the qcow2 files themselves.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/machines/registry/registry.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

struct Snapshot {
  std::string name;
  std::int64_t created = 0;  ///< Unix time
  std::uint64_t memory = 0;  ///< bytes of the machine's memory in it; 0: taken while it was stopped
};

struct SnapshotRequest {
  const Registry& registry;
  std::string machine;
  std::string name;  ///< of the snapshot
  core::ProcessRunner& processes;
  core::CancelToken cancel;
};

std::vector<Snapshot> list_snapshots(const SnapshotRequest& request);
// Each throws kUsage for a name that is taken, or not there, and for a machine that cannot do it now; kImage
// when QEMU fails.
void create_snapshot(const SnapshotRequest& request);
void restore_snapshot(const SnapshotRequest& request);
void remove_snapshot(const SnapshotRequest& request);

}  // namespace imgforge::machines
