#include "artifacts/retention/prune.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include "artifacts/retention/removal.hpp"
#include "artifacts/store/release_reference.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

/// When a release was built: what its manifest says, or the day of its version.
std::optional<core::UnixTime> built(const InventoryRelease& release) {
  if (release.manifest) return parse_iso_time(release.manifest->created);
  return std::nullopt;
}

/// Bytes that go with these releases; a file with several names counts once.
void count_frees(std::vector<PlannedRelease>& planned) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (PlannedRelease& row : planned) {
    if (!row.goes()) continue;
    for (const StoredFile& file : row.release.files) {
      if (seen.emplace(file.device, file.inode).second) row.frees += file.stored;
    }
  }
}

void remove_planned(const Store& store, const char* command, PruneResult& result,
                    const core::CancelToken& cancel) {
  for (PlannedRelease& row : result.releases) {
    if (!row.goes()) continue;
    cancel.check();
    take_out(store, row.release, row.release.directory);
    row.done = true;
    note_change(store, command, row.release, core::Bytes{row.frees}.human() + " freed", result.warnings);
  }
}

}  // namespace

void note_links(PlannedRelease& planned, const std::vector<ForeignLink>& links) {
  if (!planned.goes()) return;
  std::error_code error;
  const std::filesystem::path directory = std::filesystem::canonical(planned.release.directory, error);
  for (const ForeignLink& link : links) {
    const auto parts =
        std::mismatch(directory.begin(), directory.end(), link.target.begin(), link.target.end());
    if (!error && parts.first == directory.end()) planned.links.push_back(link.path);
  }
}

std::vector<PlannedRelease> plan_retention(Inventory inventory, Where where, const RetentionPolicy& policy) {
  check_policy(policy);
  std::vector<PlannedRelease> planned;
  for (InventoryLine& line : inventory.lines) {
    std::vector<InventoryRelease*> releases;
    std::vector<RetentionItem> items;
    for (InventoryRelease& release : line.releases) {
      if ((release.state == ReleaseState::kArchived) != (where == Where::kArchive)) continue;
      releases.push_back(&release);
      items.push_back({built(release), protections(line, release)});
    }
    std::vector<std::vector<std::string>> reasons = apply_policy(policy, items);
    core::for_each_parallel(releases.size(), core::kOneACore, [&](std::size_t i) {
      if (!reasons[i].empty()) return;
      if (std::string user = in_use(*releases[i]); !user.empty()) reasons[i].push_back(std::move(user));
    });
    for (std::size_t i = 0; i < releases.size(); ++i)
      planned.push_back({std::move(*releases[i]), std::move(reasons[i]), 0, false});
  }
  count_frees(planned);
  return planned;
}

PruneResult prune(const Store& store, const PruneOptions& options) {
  check_policy(options.policy);
  std::optional<StoreLock> lock;  // looking needs none
  if (options.apply) {
    lock.emplace(store.root(), options.change.lock_timeout, options.change.cancel);
    finish_interrupted(store);
  }
  PruneResult result;
  result.releases = plan_retention(read_inventory(store, options.lines), options.where, options.policy);
  const std::vector<ForeignLink> links = foreign_links(store);
  for (PlannedRelease& row : result.releases) note_links(row, links);
  if (options.apply) remove_planned(store, "prune", result, options.change.cancel);
  return result;
}

PruneResult remove_releases(const Store& store, const std::vector<std::string>& references, bool apply,
                            const ChangeOptions& change) {
  std::optional<StoreLock> lock;
  if (apply) {
    lock.emplace(store.root(), change.lock_timeout, change.cancel);
    finish_interrupted(store);
  }
  PruneResult result;
  for (const std::string& reference : references) {
    const ReleaseLocation location = find_release(store, reference);
    const Inventory inventory = read_inventory(store, {location.line});
    const InventoryLine* line = inventory.find(location.line);
    const InventoryRelease* release = line == nullptr ? nullptr : line->find(location.version);
    if (release == nullptr) throw Error(Kind::kStore, location.reference() + " has just gone");
    std::vector<std::string> reasons = protections(*line, *release);
    // A named release may go although it is damaged; nothing is guessed then.
    std::erase_if(reasons, [](const std::string& reason) { return reason.starts_with("damaged: "); });
    if (std::string user = in_use(*release); !user.empty()) reasons.push_back(std::move(user));
    if (!reasons.empty()) {
      throw Error(Kind::kStore, release->reference() + " stays: " + core::join(reasons, ", "))
          .hint("current ones change with promote, pins with unpin, clones with remove");
    }
    result.releases.push_back({*release, {}, 0, false});
  }
  count_frees(result.releases);
  const std::vector<ForeignLink> links = foreign_links(store);
  for (PlannedRelease& row : result.releases) note_links(row, links);
  if (apply) remove_planned(store, "remove", result, change.cancel);
  return result;
}

}  // namespace imgforge::artifacts
