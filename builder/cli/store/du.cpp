#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "artifacts/store/clones.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using artifacts::InventoryLine;
using artifacts::InventoryRelease;
using artifacts::StoredFile;

/// Sums over releases. A file with several names (hard links) counts once, where it comes first; blocks that
/// the file system shares (reflinks) count wherever they are named.
struct Usage {
  std::uint64_t stored = 0;
  std::uint64_t size = 0;      ///< what the files' lengths add up to
  std::uint64_t freeable = 0;  ///< of releases that are neither current, pinned nor cloned
  void add(const Usage& other) {
    stored += other.stored;
    size += other.size;
    freeable += other.freeable;
  }
};

using Seen = std::set<std::pair<std::uint64_t, std::uint64_t>>;

Usage usage_of(const InventoryRelease& release, Seen& seen) {
  Usage usage;
  for (const StoredFile& file : release.files) {
    usage.size += file.size;
    if (seen.emplace(file.device, file.inode).second) usage.stored += file.stored;
  }
  if (release.is_free()) usage.freeable = usage.stored;
  return usage;
}

std::string human(std::uint64_t bytes) {
  return core::Bytes{bytes}.human();
}

core::Json as_json(const Usage& usage) {
  return {{"stored", usage.stored}, {"size", usage.size}, {"freeable", usage.freeable}};
}

/// What keeps a release: "current", "pinned", or nothing.
std::string kept_by(const InventoryRelease& release) {
  std::string state(artifacts::state_name(release.state));
  if (release.pin) state += ", pinned";
  return release.clones.empty() ? state : state + ", cloned";
}

/// Of the disk that a clone has beside its release.
Usage usage_of(const artifacts::Clone& clone) {
  struct stat status {};
  if (::stat((clone.directory / artifacts::kCloneDisk).c_str(), &status) != 0) return {};
  return {static_cast<std::uint64_t>(status.st_blocks) * 512, static_cast<std::uint64_t>(status.st_size), 0};
}

int du(Context& context, const std::vector<std::string>& wanted) {
  const artifacts::Store store = open_store(context);
  std::vector<std::string> names;
  for (const std::string& name : wanted) names.push_back(artifacts::find_line(store, name));
  const artifacts::Inventory inventory = artifacts::read_inventory(store, names);
  Seen seen;
  Usage all;
  core::Json lines = core::Json::array();
  std::vector<std::vector<std::string>> rows{{"LINE", "VERSION", "STATE", "ON DISK", "SIZE", "CAN BE FREED"}};
  for (const InventoryLine& line : inventory.lines) {
    Usage sum;
    core::Json releases = core::Json::array();
    for (const InventoryRelease& release : line.releases) {
      const Usage usage = usage_of(release, seen);
      sum.add(usage);
      rows.push_back({line.name, release.version, kept_by(release), human(usage.stored), human(usage.size),
                      usage.freeable == 0 ? "-" : human(usage.freeable)});
      core::Json row = as_json(usage);
      row["version"] = release.version;
      row["state"] = artifacts::state_name(release.state);
      row["pinned"] = release.pin.has_value();
      releases.push_back(std::move(row));
    }
    all.add(sum);
    rows.push_back({line.name, fmt::format("all {}", line.releases.size()), "", human(sum.stored),
                    human(sum.size), human(sum.freeable)});
    core::Json row = as_json(sum);
    row["line"] = line.name;
    row["releases"] = std::move(releases);
    lines.push_back(std::move(row));
  }
  core::Json clones = core::Json::array();
  for (const artifacts::Clone& clone : artifacts::read_clones(store.root())) {
    if (!names.empty() && std::find(names.begin(), names.end(), clone.line) == names.end()) continue;
    const Usage usage = usage_of(clone);
    all.add(usage);
    rows.push_back({"clone " + clone.name, clone.version, "of " + clone.line, human(usage.stored),
                    human(usage.size), "-"});
    clones.push_back({{"name", clone.name},
                      {"line", clone.line},
                      {"version", clone.version},
                      {"stored", usage.stored},
                      {"size", usage.size}});
  }
  rows.push_back({"total", "", "", human(all.stored), human(all.size), human(all.freeable)});
  if (context.options.json) {
    core::Json json{{"schema", 1}, {"lines", lines}, {"clones", clones}, {"total", as_json(all)}};
    print(core::print_json(json));
  } else {
    print(text_table(rows, context.out, {3, 4, 5}));
  }
  return 0;
}

}  // namespace

Runner declare_du(OptionSet& set) {
  auto lines = std::make_shared<std::vector<std::string>>();
  set.positional("line", *lines, "name and profile [all]");
  set.set_footer(
      "ON DISK counts blocks: holes take none, a file with several names counts once, blocks that the file\n"
      "system shares between files count for each. CAN BE FREED is what is neither current, pinned nor "
      "cloned.\n"
      "Example: imgforge du unhinged-os-minimal");
  return [lines](Context& context) { return du(context, *lines); };
}

}  // namespace imgforge::cli
