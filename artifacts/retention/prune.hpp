// prune: releases that a policy does not keep are removed. What would go is a value that is printed; `yes`
// removes exactly that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "artifacts/retention/foreign_links.hpp"
#include "artifacts/retention/retention.hpp"
#include "artifacts/store/inventory.hpp"

namespace imgforge::artifacts {

/// One release and what becomes of it.
struct PlannedRelease {
  InventoryRelease release;
  std::vector<std::string> kept_by;  ///< "current", "pinned", "clone NAME", "last", "daily", ...; empty: goes
  std::uint64_t frees = 0;           ///< bytes of its blocks when it goes
  bool done = false;
  /// Links of others that lead to it, below the output folder: nowhere once it goes. They stay.
  std::vector<std::filesystem::path> links = {};
  bool goes() const { return kept_by.empty(); }
};

/// Which releases a policy is about: those below releases/, or the archived ones.
enum class Where { kReleases, kArchive };

/// Notes which of the links lead to the release, if it goes.
void note_links(PlannedRelease& planned, const std::vector<ForeignLink>& links);

/// What the policy means for every release of the inventory there, line by line, newest first. Releases that
/// somebody uses at this moment are kept. Throws kUsage as check_policy does.
std::vector<PlannedRelease> plan_retention(Inventory inventory, Where where, const RetentionPolicy& policy);

struct PruneOptions {
  std::vector<std::string> lines;  ///< empty: all
  Where where = Where::kReleases;
  RetentionPolicy policy;
  bool apply = false;
  ChangeOptions change;
};

struct PruneResult {
  std::vector<PlannedRelease> releases;
  std::vector<std::string> warnings;
};

/// Plans, and with `apply` removes under the store's lock.
PruneResult prune(const Store& store, const PruneOptions& options);

/// Removes named releases, in place or archived; each is refused (kStore) when something protects it. Without
/// `apply` it only says what would happen.
PruneResult remove_releases(const Store& store, const std::vector<std::string>& references, bool apply,
                            const ChangeOptions& change = {});

}  // namespace imgforge::artifacts
