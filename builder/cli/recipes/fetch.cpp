#include "builder/steps/fetch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/frame/examples.hpp"
#include "builder/recipe/schema/schema.hpp"
#include "builder/recipe/typing.hpp"
#include "builder/recipe/values/types.hpp"
#include "builder/stages/fetch_base.hpp"
#include "core/bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct BaseArguments {
  std::string flavor = "virt";
  std::string release = "latest-stable";
  std::string arch = "x86_64";
  std::string sha256;
  std::vector<std::string> mirrors;
  bool offline = false;
};

fetch::BaseRequest request_of(const BaseArguments& arguments) {
  fetch::BaseRequest request{arguments.release, arguments.arch, arguments.flavor, {}, {}, {}};
  for (const std::string& mirror : arguments.mirrors) {
    const std::string fault = recipe::url_fault(mirror);
    if (!fault.empty()) {
      throw core::Error(core::Kind::kUsage, fmt::format("--mirror {} {}", core::escaped(mirror, 100), fault));
    }
    request.mirrors.push_back(recipe::without_trailing_slash(mirror));
  }
  if (request.mirrors.empty())
    request.mirrors.emplace_back(recipe::find_field("base.alpine.mirrors")->fallback);
  if (!arguments.sha256.empty()) {
    try {
      request.pin = core::Digest::from_hex(core::HashAlgorithm::kSha256, arguments.sha256);
    } catch (const core::Error& error) {
      throw core::Error(core::Kind::kUsage, "--sha256: " + error.message());
    }
  }
  return request;
}

int fetch_base(Context& context, const BaseArguments& arguments, const BuildArguments& network) {
  BuildArguments build = network;
  build.offline = build.offline || arguments.offline;
  BuildTools tools(context, build);
  const fetch::BaseRequest request = request_of(arguments);
  core::Activity activity = context.progress.begin("base");
  activity.say("looking for it");
  tools.toolbox().activity = &activity;
  const stages::FetchedBase base =
      stages::fetch_base_iso(tools.toolbox(), request, context.options.output_dir);
  const bool there = base.placed.outcome == artifacts::PlaceOutcome::kThere;
  const std::string detail =
      fmt::format("{} {} · {}{}", base.source.title(), base.source.arch,
                  core::Bytes{base.file.size()}.human(), there ? " · is there already" : "");
  there ? activity.known(detail) : activity.done(detail);
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"file", base.placed.path.native()},
                                                 {"flavor", base.source.flavor},
                                                 {"version", base.source.version},
                                                 {"arch", base.source.arch},
                                                 {"size", base.file.size()},
                                                 {"sha256", base.file.digest().hex()},
                                                 {"placed", !there}})
                             : base.placed.path.native() + "\n");
  return 0;
}

using From = fetch::FetchReport::From;

std::string_view from_name(From from) {
  switch (from) {
    case From::kCache:
      return "cached";
    case From::kAnotherRun:
      return "shared";
    case From::kNetwork:
      return "fetched";
  }
  return "?";
}

/// Bytes per second while the file came; nothing when it is too small for that to say anything.
std::string speed_of(const fetch::FetchReport& report) {
  if (report.seconds < 0.001 || report.transferred < 100'000) return "";
  return core::Bytes{static_cast<std::uint64_t>(static_cast<double>(report.transferred) / report.seconds)}
             .human() +
         "/s";
}

std::string table_of(const std::vector<fetch::FetchReport>& reports) {
  std::string text;
  for (const fetch::FetchReport& report : reports) {
    text += fmt::format("{:<44} {:<8} {:>10} {:>12}  {}", report.name, from_name(report.from),
                        core::Bytes{report.size}.human(), speed_of(report), report.url);
    text.erase(text.find_last_not_of(' ') + 1);
    text += "\n";
  }
  return text;
}

core::Json as_json(const fetch::FetchReport& report) {
  return {{"name", report.name},       {"from", from_name(report.from)},    {"url", report.url},
          {"size", report.size},       {"transferred", report.transferred}, {"resumed", report.resumed},
          {"seconds", report.seconds}, {"sha256", report.sha256.hex()}};
}

std::string summary_of(const std::vector<fetch::FetchReport>& reports, double seconds) {
  std::uint64_t bytes = 0;
  std::uint64_t transferred = 0;
  std::size_t cached = 0;
  for (const fetch::FetchReport& report : reports) {
    bytes += report.size;
    transferred += report.transferred;
    cached += report.from == From::kCache ? 1 : 0;
  }
  std::string text =
      fmt::format("{} files, {} · {} cached", reports.size(), core::Bytes{bytes}.human(), cached);
  if (transferred > 0) text += fmt::format(" · {} fetched", core::Bytes{transferred}.human());
  return text + fmt::format(" · {} · build --offline needs no network now", seconds_text(seconds));
}

int fetch_for_recipe(Context& context, const BuildArguments& arguments) {
  if (arguments.recipe->file.empty()) {
    throw core::Error(core::Kind::kUsage, "fetch needs a recipe, or: fetch base")
        .hint("imgforge fetch --help");
  }
  const auto start = std::chrono::steady_clock::now();
  BuildTools tools(context, arguments, arguments.offline ? CacheUse::kRead : CacheUse::kWrite);
  std::vector<fetch::FetchReport> reports;
  tools.toolbox().on_fetched = [&](const fetch::FetchReport& report) {
    const bool again = std::any_of(reports.begin(), reports.end(), [&](const fetch::FetchReport& earlier) {
      return earlier.name == report.name && earlier.sha256 == report.sha256;  // of another profile
    });
    if (!again) reports.push_back(report);
  };
  const std::vector<recipe::ResolvedRecipe> profiles =
      resolve_profiles(*arguments.recipe, core::build_time(context.clock));
  const std::optional<lock::Lock> lock = lock_to_use(context, arguments, profiles, tools.toolbox());
  for (const recipe::ResolvedRecipe& profile : profiles) steps::fetch_recipe(tools.toolbox(), profile, lock);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  context.progress.note(summary_of(reports, seconds));
  core::Json files = core::Json::array();
  for (const fetch::FetchReport& report : reports) files.push_back(as_json(report));
  print(context.options.json ? core::print_json({{"schema", 1}, {"seconds", seconds}, {"files", files}})
                             : table_of(reports));
  return 0;
}

}  // namespace

Runner declare_fetch(OptionSet& set) {
  auto arguments = std::make_shared<BaseArguments>();
  auto build = std::make_shared<BuildArguments>();
  build->recipe = declare_recipe(set);
  set.find("recipe").required(false);  // "base" takes its place
  declare_network(set, *build);
  declare_isolation(set, build->isolation);
  declare_older_index(set, *build);
  declare_lock_choice(set, *build);
  set.set_commands(OptionSet::Commands::kOptional);
  OptionSet& base = set.command("base", "put one of Alpine's ISO images, verified, into isos/");
  base.option("--flavor", arguments->flavor, "virt, standard, extended or another ISO image of Alpine")
      .show_default();
  base.option("--release", arguments->release, "a branch (3.22: its newest release) or a release (3.22.2)")
      .show_default();
  base.option("--arch", arguments->arch, "architecture").show_default();
  base.option("--mirror", arguments->mirrors, "mirror to ask, in order; repeatable [Alpine's]");
  base.option("--sha256", arguments->sha256, "digest that the ISO image must have");
  base.flag("--offline", arguments->offline, "use no network: everything must be cached");
  base.option("--limit-rate", build->limit_rate, "receive at most so much a second, as in 5M");
  base.set_footer(example_of("fetch"));
  base.set_runner([arguments, build](Context& context) { return fetch_base(context, *arguments, *build); });
  return [build](Context& context) { return fetch_for_recipe(context, *build); };
}

}  // namespace imgforge::cli
