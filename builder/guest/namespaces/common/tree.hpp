// Work on the files of a root file system, by code of ours that runs inside its namespaces: owners, modes and
// file capabilities are those that the image will have. No program of the image runs meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/guest/namespaces/common/owners.hpp"
#include "core/bytes.hpp"

namespace imgforge::guest {

/// Unpacks the archive behind `archive` (compressed or not) into the current folder, as GNU tar does for
/// root: what is in the way goes, but for folders; owners by number; extended attributes are not restored.
/// Devices below dev/ are left out: the host gives those. kUnsafe: devices elsewhere, owners beyond the ids.
void unpack(int archive);

/// Writes the current folder as a tar, with the `owners` that are remembered. `excludes` are patterns of GNU
/// tar ("./proc/*"). Sockets are left out. kUnsafe: folders too deep for an archive.
void pack(int target, const std::vector<std::string>& excludes, const Owners& owners);

/// What a tree takes.
struct Usage {
  core::Bytes bytes;        ///< on disk
  std::uint64_t files = 0;  ///< names
};

/// Of the folder behind `folder`, without other file systems. Changes meanwhile do no harm.
Usage measure(int folder);

/// Removes everything in a folder, however deep. What cannot be removed is left.
void empty_folder(int folder) noexcept;

}  // namespace imgforge::guest
