#include <fmt/format.h>
#include <sys/stat.h>

#include "artifacts/store/clones.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/frame/json_rows.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::InventoryLine;
using artifacts::InventoryRelease;

std::vector<std::string> row_of(const InventoryRelease& release, const signing::TrustStore& trust) {
  std::string state(artifacts::state_name(release.state));
  if (release.pin) state += ", pinned";
  if (!release.clones.empty()) state += ", cloned";
  const bool known = release.manifest.has_value();
  return {known ? release.manifest->name : release.line,
          known ? release.manifest->profile : "",
          release.version,
          state,
          core::Bytes{release.stored()}.human(),
          known ? formats_text(release) : "unreadable: " + release.problem,
          signature_claim(release, trust).text(),
          known ? boots_text(*release.manifest) : "-"};
}

int list(Context& context, const std::vector<std::string>& wanted) {
  const artifacts::Store store = open_store(context);
  std::vector<std::string> lines;
  for (const std::string& name : wanted) lines.push_back(artifacts::find_line(store, name));
  const artifacts::Inventory inventory = artifacts::read_inventory(store, lines);
  const signing::TrustStore trust = load_trust({});
  for (const InventoryLine& line : inventory.lines) {
    if (!line.problem.empty()) context.progress.warn(line.problem);
  }
  const std::vector<const InventoryRelease*> releases = inventory.releases();
  if (context.options.json) {
    print(print_json_rows({{"schema", 1}}, "releases", releases.size(),
                          [&](std::size_t i) { return release_json(*releases[i], trust); }));
    return 0;
  }
  if (releases.empty()) {
    context.progress.note("no releases yet");
    return 0;
  }
  std::vector<std::vector<std::string>> rows{
      {"NAME", "PROFILE", "VERSION", "STATE", "SIZE", "FORMATS", "SIGNED BY", "BOOTS"}};
  for (const InventoryRelease* release : releases) rows.push_back(row_of(*release, trust));
  print(text_table(rows, context.out, {4}));
  return 0;
}

int list_clones(Context& context) {
  const artifacts::Store store = open_store(context);
  std::vector<std::vector<std::string>> rows{{"NAME", "RELEASE", "STATE", "SIZE", "CREATED", "DISK"}};
  core::Json clones = core::Json::array();
  for (const artifacts::Clone& clone : artifacts::read_clones(store.root())) {
    const std::filesystem::path disk = clone.directory / artifacts::kCloneDisk;
    struct stat status {};
    const bool there = clone.problem.empty() && ::stat(disk.c_str(), &status) == 0;
    const std::uint64_t stored = there ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
    const std::string state = !clone.problem.empty()             ? "damaged: " + clone.problem
                              : !there                           ? "missing"
                              : artifacts::is_open_in_qemu(disk) ? "running"
                                                                 : "stopped";
    rows.push_back({clone.name, clone.line + "@" + clone.version, state, core::Bytes{stored}.human(),
                    clone.created, disk.native()});
    clones.push_back({{"name", clone.name},
                      {"line", clone.line},
                      {"version", clone.version},
                      {"state", state},
                      {"stored", stored},
                      {"created", clone.created},
                      {"disk", core::escaped(disk.native(), 4096)},
                      {"backing_sha256", clone.sha256.hex()}});
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"clones", clones}}));
  } else if (rows.size() == 1) {
    context.progress.note("no clones yet");
  } else {
    print(text_table(rows, context.out, {3}));
  }
  return 0;
}

}  // namespace

Runner declare_list(OptionSet& set) {
  auto lines = std::make_shared<std::vector<std::string>>();
  set.positional("line", *lines, "name and profile, as in hello-boot or unhinged-os-minimal [all]");
  auto clones = std::make_shared<bool>(false);
  set.flag("--clones", *clones, "list the clones instead, and whether a machine runs on them");
  set.set_footer(
      "Newest first. SIZE is what the release takes on disk; FORMATS the same by format. SIGNED BY names "
      "the\n"
      "trusted key whose id the signature carries; only imgforge verify checks the signature. BOOTS is the "
      "boot\n"
      "evidence in the manifest.\n"
      "Example: imgforge list unhinged-os-minimal");
  return [=](Context& context) { return *clones ? list_clones(context) : list(context, *lines); };
}

}  // namespace imgforge::cli
