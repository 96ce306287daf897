// All machines of a user: a folder each, named as the machine is, below one root. What is in such a folder:
//
//   machine.json  what it is (settings.hpp)      lock          whether it runs (machine_lock.hpp)
//   disk.qcow2    what it wrote                  clone.json    what that stands on
//   (artifacts/store/clones.hpp) console.log   what it said                   last.json     how it ended last
//   *.sock        sockets of the running machine shared.log    what it was asked (shared/audit_log.hpp)
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/store/store.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::machines {

/// A folder of the registry.
struct Entry {
  std::string name;
  std::filesystem::path folder;
  std::optional<Settings> settings;
  std::string problem;  ///< why there are no settings
};

class Registry {
 public:
  /// `root` need not be there.
  explicit Registry(std::filesystem::path root) : root_(std::move(root)) {}

  const std::filesystem::path& root() const { return root_; }
  /// Makes the root, for its user alone.
  void make_root() const;
  /// Where the machine is, whether it is there or not. Throws kUsage for an impossible name.
  std::filesystem::path folder(const std::string& name) const;
  /// All of them by name, also damaged ones.
  std::vector<Entry> entries() const;
  /// One that is there. Throws kUsage, with the nearest name, when there is none.
  Entry find(const std::string& name) const;
  /// Its settings. Throws likewise, and kIntegrity when they are damaged.
  Settings load(const std::string& name) const;
  void save(const Settings& settings) const;

  /// Removes a machine that does not run, whatever is left of it: what it wrote, its folder, and the record
  /// that keeps its release. kLocked when it runs. Returns warnings.
  std::vector<std::string> remove(const std::string& name, const artifacts::ChangeOptions& options,
                                  std::chrono::milliseconds patience = std::chrono::seconds(10)) const;
  /// Removes the disposable machines whose process is gone; returns how many. Never throws for one of them.
  unsigned reclaim(const artifacts::ChangeOptions& options) const;

 private:
  std::filesystem::path root_;
};

}  // namespace imgforge::machines
