#include <fmt/format.h>

#include <map>

#include "artifacts/retention/retention.hpp"
#include "builder/cache/cache_gc.hpp"
#include "builder/cli/arguments/retention_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

int gc(Context& context, const std::string& older_than, bool apply) {
  cache::CacheGcOptions options;
  if (!older_than.empty()) options.older_than = artifacts::parse_age(older_than);
  options.apply = apply;
  options.now = context.clock.now();
  options.cancel = context.cancel;
  std::optional<artifacts::Store> store;
  if (std::filesystem::exists(context.options.output_dir / ".imgforge-store"))
    store = artifacts::Store::open(context.options.output_dir);
  const artifacts::CollectorResult result =
      cache::collect_cache(context.options.cache_dir, store ? &*store : nullptr, options);
  core::Json rows = core::Json::array();
  std::map<std::string, std::pair<std::size_t, std::uint64_t>> sums;
  std::uint64_t all = 0;
  for (const artifacts::CollectedFile& file : result.files) {
    rows.push_back(
        {{"path", core::escaped(file.path.native(), 4096)}, {"stored", file.stored}, {"why", file.why}});
    ++sums[file.why].first;
    sums[file.why].second += file.stored;
    all += file.stored;
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"applied", apply},
                            {"frees", all},
                            {"kept", result.kept},
                            {"kept_stored", result.kept_bytes},
                            {"files", rows}}));
    return 0;
  }
  std::string text;
  for (const auto& [why, sum] : sums)
    text += fmt::format("  {:<14} {:>6}  {}\n", why, sum.first, core::Bytes{sum.second}.human());
  text += fmt::format("{}; keeps {}, {}{}\n",
                      result.files.empty() ? std::string("nothing to remove")
                                           : fmt::format("{} {}, {} {}", apply ? "removed" : "would remove",
                                                         count_text(result.files.size(), "file"),
                                                         apply ? "freed" : "free", core::Bytes{all}.human()),
                      count_text(result.kept, "blob"), core::Bytes{result.kept_bytes}.human(),
                      apply || result.files.empty() ? "" : " · run again with --yes");
  print(text);
  return 0;
}

}  // namespace

Runner declare_gc(OptionSet& set) {
  auto older_than = std::make_shared<std::string>();
  auto yes = std::make_shared<bool>(false);
  set.option(
      "--older-than", *older_than,
      "forget results of steps not used for so long, and remove nothing younger: 12h, 30d, 2w, 6m, 1y");
  set.flag("--yes", *yes, "do it; without this it is only said");
  set.set_footer(
      "Removes from the cache what neither a release of the output folder nor a recorded step needs, "
      "damaged\n"
      "blobs that were set aside, and what killed runs left. While a build runs it is refused. What is "
      "missing\n"
      "later is fetched or made again.\n"
      "Example: imgforge gc --older-than 30d --yes");
  return [=](Context& context) { return gc(context, *older_than, *yes); };
}

}  // namespace imgforge::cli
