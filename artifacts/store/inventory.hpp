// What is in a store, as one value: lines, their releases with state, pin, files and real sizes. Reading it
// needs no lock and no write access and judges nothing: signatures and digests are the verifier's. While
// somebody publishes, each line is seen as it was at one moment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/pins.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

enum class ReleaseState {
  kCurrent,   ///< what `current` names
  kOld,       ///< under releases/, but not current
  kArchived,  ///< under archive/
};
/// "current", "old", "archived".
std::string_view state_name(ReleaseState state);

/// A regular file of a release as it is on disk.
struct StoredFile {
  std::string name;
  std::uint64_t size = 0;
  std::uint64_t stored = 0;  ///< bytes of its blocks (holes take none)
  std::uint64_t device = 0;  ///< with `inode`: files that are one file count once
  std::uint64_t inode = 0;
};

struct InventoryRelease {
  InventoryRelease();
  InventoryRelease(const InventoryRelease&);
  InventoryRelease(InventoryRelease&&) noexcept;
  InventoryRelease& operator=(const InventoryRelease&);
  InventoryRelease& operator=(InventoryRelease&&) noexcept;
  ~InventoryRelease();

  std::string line;
  std::string version;  ///< name of its folder; of an archived one what its manifest says
  ReleaseState state = ReleaseState::kOld;
  std::filesystem::path directory;
  /// Without packages and unchecked; nothing when it cannot be read, and then `problem` says why.
  std::optional<Manifest> manifest;
  std::string problem;
  std::string signature;  ///< text of manifest.json.minisig, unchecked; empty when there is none
  std::optional<Pin> pin;
  std::vector<StoredFile> files;  ///< by name; includes files that the manifest does not list
  /// Names in its folder that are neither regular files nor the links beside artifacts.
  std::vector<std::string> strangers;
  std::vector<std::string> clones;  ///< names of clones that stand on it
  /// Where it is in the archive too, because `archive` or `restore` was interrupted; usually empty.
  std::filesystem::path archived_copy;

  std::string reference() const { return line + "@" + version; }
  /// The file of that name, or nullptr.
  const StoredFile* file(std::string_view name) const;
  /// The file that holds that artifact: itself, or its packed form in the archive; or nullptr.
  const StoredFile* holder(const std::string& artifact) const;
  /// Bytes of the blocks of all files.
  std::uint64_t stored() const;
  /// Neither current nor pinned nor cloned: what retention may take.
  bool is_free() const { return state != ReleaseState::kCurrent && !pin && clones.empty(); }
};

struct InventoryLine {
  InventoryLine();
  InventoryLine(const InventoryLine&);
  InventoryLine(InventoryLine&&) noexcept;
  InventoryLine& operator=(const InventoryLine&);
  InventoryLine& operator=(InventoryLine&&) noexcept;
  ~InventoryLine();

  std::string name;
  std::optional<std::string> current;  ///< version
  std::string problem;                 ///< why `current` cannot be followed
  /// Newest first (is_newer), archived ones among the others.
  std::vector<InventoryRelease> releases;

  /// The current release, or nullptr.
  const InventoryRelease* current_release() const;
  /// The release of that version, or nullptr.
  const InventoryRelease* find(std::string_view version) const;
};

struct Inventory {
  Inventory();
  Inventory(const Inventory&);
  Inventory(Inventory&&) noexcept;
  Inventory& operator=(const Inventory&);
  Inventory& operator=(Inventory&&) noexcept;
  ~Inventory();

  std::vector<InventoryLine> lines;       ///< by name; also lines of which only archived releases are left
  std::vector<std::string> stray_pins;    ///< "<line>@<version>" of pins whose release is not there
  std::vector<std::string> stray_clones;  ///< names of clones whose release is not there or not known

  /// The line of that name, or nullptr.
  const InventoryLine* find(std::string_view line) const;
  /// All releases, line by line, newest first.
  std::vector<const InventoryRelease*> releases() const;
};

/// Reads a store, only the named lines when there are any. Damage is told in `problem`; throws kStore, kIo
/// and kPermission only when a folder cannot be listed.
Inventory read_inventory(const Store& store, const std::vector<std::string>& lines = {});

/// The order of releases of a line: by the time of the build that the manifest names, then by version with
/// numbers compared as numbers (1.9 before 1.10). A release without readable manifest has the day of its
/// version, or is oldest.
bool is_newer(const InventoryRelease& a, const InventoryRelease& b);

}  // namespace imgforge::artifacts
