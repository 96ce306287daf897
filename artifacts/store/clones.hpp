// Clones: disks that people change, which stand on an immutable disk of a release and hold only what differs.
// A folder `<name>/` with disk.qcow2 and clone.json, by default below `clones/` of the store. The record
// `.clones/<name>` of the store says which release a clone stands on, wherever its folder is; as long as it
// is there, the release is neither removed nor archived.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

struct Clone {
  std::string name;
  std::string line;     ///< of its release
  std::string version;  ///< likewise
  std::filesystem::path directory;
  std::string backing;  ///< file of the release
  core::Digest sha256;  ///< of the backing file
  std::string created;  ///< "2026-11-20T01:02:03Z"
  std::string problem;  ///< why the record cannot be read; then only the name is known
};

constexpr const char* kClonesFolder = ".clones";
constexpr const char* kCloneDisk = "disk.qcow2";

/// All clones by name; a damaged record has a problem. Needs no lock.
std::vector<Clone> read_clones(const std::filesystem::path& root);
/// The clone of that name; nothing when there is none.
std::optional<Clone> read_clone(const std::filesystem::path& root, const std::string& name);

/// True when a running QEMU has the disk open (it locks bytes of the file, fcntl(2) F_OFD_SETLK).
bool is_open_in_qemu(const std::filesystem::path& disk);

struct CloneRequest {
  std::string line;
  std::string version;
  std::string name;
  std::filesystem::path folder;  ///< where `<name>/` is made; empty: `clones/` of the store
  std::string format;            ///< "qcow2" or "raw"; empty: the one that the release has, qcow2 first
  /// Writes a qcow2 overlay `target` whose backing file, of that format, is `backing`, a path relative to the
  /// folder of `target`.
  std::function<void(const std::filesystem::path& target, const std::string& backing,
                     const std::string& format)>
      make_overlay;
  ChangeOptions change;
  /// Believed about the backing file, which is hashed otherwise. Null: it is hashed.
  const DigestMemory* memory = nullptr;
};

struct CloneResult {
  Clone clone;
  bool existed = false;  ///< the same clone was there: nothing was done
  std::vector<std::string> warnings;
};

/// Makes a clone. The backing file is hashed first (kIntegrity), unless its digest is remembered. kUsage for
/// a name that cannot be used or is taken by another clone, kStore when the folder is in the way or the
/// release has no such disk.
CloneResult make_clone(const Store& store, const CloneRequest& request);

/// Removes a clone: its folder if that holds nothing but the clone's files (kStore otherwise), then the
/// record. kLocked while a QEMU runs on it. Returns warnings.
std::vector<std::string> remove_clone(const Store& store, const std::string& name,
                                      const ChangeOptions& options = {});

}  // namespace imgforge::artifacts
