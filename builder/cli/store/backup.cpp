#include "artifacts/retention/backup.hpp"

#include <fmt/format.h>

#include "builder/cli/arguments/retention_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::BackedUpRelease;
using artifacts::BackupOutcome;

int backup(Context& context, std::vector<std::string> words, bool all) {
  if (all ? words.size() != 1 : words.size() < 2) {
    throw core::Error(core::Kind::kUsage, "name releases and then the folder, or --all and the folder")
        .hint("imgforge backup --all /mnt/backup");
  }
  const artifacts::Store store = open_store(context);
  const std::filesystem::path folder = words.back();
  words.pop_back();
  artifacts::BackupOptions options;
  options.releases = words;
  options.change.cancel = context.cancel;
  options.begin = [&](const artifacts::InventoryRelease& release) {
    context.progress.note("copying " + release.reference());
  };
  const artifacts::BackupResult result = artifacts::backup(store, folder, options);
  for (const std::string& warning : result.warnings) context.progress.warn(warning);
  core::Json rows = core::Json::array();
  std::vector<std::vector<std::string>> table{{"LINE", "VERSION", "SIZE", "OUTCOME"}};
  std::size_t copied = 0, there = 0, bad = 0;
  std::uint64_t bytes = 0;
  for (const BackedUpRelease& row : result.releases) {
    const std::string outcome(artifacts::outcome_name(row.outcome));
    rows.push_back({{"line", row.line},
                    {"version", row.version},
                    {"directory", core::escaped(row.directory.native(), 4096)},
                    {"outcome", outcome},
                    {"size", row.bytes},
                    {"problem", row.problem}});
    table.push_back({row.line, row.version, core::Bytes{row.bytes}.human(),
                     row.problem.empty() ? outcome : outcome + ": " + row.problem});
    if (row.outcome == BackupOutcome::kLeftAlone) {
      ++bad;
    } else if (row.outcome == BackupOutcome::kThere) {
      ++there;
    } else {
      ++copied;
      bytes += row.bytes;
    }
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"releases", rows}}));
  } else {
    print(text_table(table, context.out, {2}) +
          fmt::format("copied {}, {}; {} there already{}\n", count_text(copied, "release"),
                      core::Bytes{bytes}.human(), there,
                      bad == 0 ? "" : fmt::format("; {} left alone", bad)));
  }
  return bad == 0 ? 0 : core::exit_code(core::Kind::kIntegrity);
}

}  // namespace

Runner declare_backup(OptionSet& set) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto all = std::make_shared<bool>(false);
  set.positional("release", *words, "releases, and last the folder of the backup").required();
  set.flag("--all", *all, "every release, also archived ones, with pins and what is current");
  set.set_footer(
      "Copies what is missing and hashes every copy, new or old. The backup is an output folder itself:\n"
      "`imgforge --output-dir DIR list` and `verify --all` read it. Clones are not copied.\n"
      "Example: imgforge backup --all /mnt/backup");
  return [=](Context& context) { return backup(context, *words, *all); };
}

}  // namespace imgforge::cli
