// Commands around the archive: archive and restore.
#include "artifacts/retention/archive.hpp"

#include <fmt/format.h>

#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/retention_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::ArchivedRelease;
using artifacts::ArchiveResult;

struct Arguments {
  std::vector<std::string> names;
  bool xz = false;
  bool dry_run = false;
};

core::Json as_json(const ArchivedRelease& row) {
  core::Json json = plan_json(row.planned);
  json.erase("frees");
  json["directory"] = core::escaped(row.directory.native(), 4096);
  json["before"] = row.before;
  json["after"] = row.after;
  json["problem"] = row.problem;
  return json;
}

int say(Context& context, const ArchiveResult& result, bool dry_run) {
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  core::Json rows = core::Json::array();
  std::vector<std::vector<std::string>> table{{"LINE", "VERSION", "FATE", "SIZE", "WHY"}};
  std::vector<artifacts::PlannedRelease> planned;
  std::size_t moved = 0, damaged = 0;
  std::uint64_t before = 0, after = 0;
  for (const ArchivedRelease& row : result.releases) {
    rows.push_back(as_json(row));
    planned.push_back(row.planned);
    std::vector<std::string> cells = plan_row(row.planned, "archive");
    if (!row.problem.empty()) {
      ++damaged;
      cells = {row.planned.release.line, row.planned.release.version, "damaged", "", row.problem};
    } else if (row.planned.goes()) {
      ++moved;
      before += row.before;
      after += row.after;
      cells[3] = core::Bytes{row.before}.human() + (dry_run ? "" : " -> " + core::Bytes{row.after}.human());
    }
    table.push_back(std::move(cells));
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"dry_run", dry_run}, {"releases", rows}}));
  } else {
    std::string sum = moved == 0 ? "nothing to archive"
                      : dry_run  ? fmt::format("would archive {}, {}", count_text(moved, "release"),
                                               core::Bytes{before}.human())
                                 : fmt::format("archived {}, {} -> {}", count_text(moved, "release"),
                                               core::Bytes{before}.human(), core::Bytes{after}.human());
    if (damaged != 0) sum += fmt::format("; {} damaged", damaged);
    sum += "; " + kept_text(planned);
    if (dry_run && moved != 0) sum += " · run again without --dry-run";
    print((table.size() == 1 ? "" : text_table(table, context.out, {})) + sum + "\n");
  }
  return damaged == 0 ? 0 : core::exit_code(core::Kind::kIntegrity);
}

int archive(Context& context, const Arguments& arguments, const PolicyArguments& policy) {
  const artifacts::Store store = open_store(context);
  artifacts::ArchiveOptions options;
  // A line is a line; everything else names a release.
  for (const std::string& name : arguments.names) {
    const std::vector<std::string> known = store.lines();
    const bool line = std::find(known.begin(), known.end(), name) != known.end();
    (line ? options.lines : options.releases).push_back(name);
  }
  options.policy = policy.policy(context.clock);
  options.packing = arguments.xz ? artifacts::Packing::kXz : artifacts::Packing::kZstd;
  options.dry_run = arguments.dry_run;
  options.change.cancel = context.cancel;
  options.begin = [&](const artifacts::InventoryRelease& release) {
    context.progress.note("archiving " + release.reference());
  };
  return say(context, artifacts::archive(store, options), arguments.dry_run);
}

int restore(Context& context, const std::vector<std::string>& references,
            const std::vector<std::string>& public_keys) {
  const artifacts::Store store = open_store(context);
  artifacts::RestoreOptions options;
  options.signature = trusting(public_keys);
  options.change.cancel = context.cancel;
  core::Json rows = core::Json::array();
  std::string text;
  for (const std::string& reference : references) {
    const artifacts::RestoreResult result = artifacts::restore(store, reference, options);
    for (const std::string& warning : result.warnings) context.progress.warn(warning);
    rows.push_back({{"line", result.line},
                    {"version", result.version},
                    {"directory", core::escaped(result.directory.native(), 4096)},
                    {"changed", result.changed}});
    text += fmt::format("{}@{}: {}\n", result.line, result.version,
                        result.changed ? "restored, not made current" : "is not archived");
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"releases", rows}}) : text);
  return 0;
}

}  // namespace

Runner declare_archive(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("name", arguments->names, "lines the rules are for [all], and releases by name");
  auto policy = declare_policy(set, "--older-than");
  set.flag("--xz", arguments->xz, "pack with xz instead of zstd: smaller, many times slower");
  set.flag("-n,--dry-run", arguments->dry_run, "print what would be archived");
  set.set_footer(
      "Moves what no rule keeps to archive/YYYYMM/, artifacts packed where that saves 3 % and more; verify "
      "reads\n"
      "it there. Current, pinned, cloned and damaged releases stay. The archive may be another file system.\n"
      "Example: imgforge archive --older-than 30d --keep-last 3");
  return [=](Context& context) { return archive(context, *arguments, *policy); };
}

Runner declare_restore(OptionSet& set) {
  auto references = std::make_shared<std::vector<std::string>>();
  auto public_keys = std::make_shared<std::vector<std::string>>();
  set.positional("release", *references, "archived releases: LINE@VERSION, LINE-VERSION or a path")
      .required();
  declare_public_keys(set, *public_keys);
  set.set_footer(
      "The unpacked release is compared with its signed manifest before it takes its place, then the "
      "archived\n"
      "copy goes. `imgforge promote` makes it current.\n"
      "Example: imgforge restore hello-boot@v20261120");
  return [=](Context& context) { return restore(context, *references, *public_keys); };
}

}  // namespace imgforge::cli
