#include <fmt/format.h>

#include "builder/cli/build_arguments.hpp"
#include "builder/cli/examples.hpp"
#include "builder/recipe/schema.hpp"
#include "builder/recipe/types.hpp"
#include "builder/recipe/typing.hpp"
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

int fetch_base(Context& context, const BaseArguments& arguments) {
  BuildArguments build;
  build.offline = arguments.offline;
  BuildTools tools(context, build);
  const fetch::BaseRequest request = request_of(arguments);
  context.progress.begin("base");
  const stages::FetchedBase base =
      stages::fetch_base_iso(tools.toolbox(), request, context.options.output_dir);
  const bool there = base.placed.outcome == artifacts::PlaceOutcome::kThere;
  context.progress.end("base",
                       fmt::format("{} {} · {}{}", base.source.title(), base.source.arch,
                                   core::Bytes{base.file.size()}.human(), there ? " · is there already" : ""),
                       there ? core::Progress::Outcome::kCached : core::Progress::Outcome::kDone);
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

}  // namespace

Runner declare_fetch(CLI::App& app) {
  auto arguments = std::make_shared<BaseArguments>();
  app.require_subcommand(1);
  CLI::App* base = app.add_subcommand("base", "put one of Alpine's ISO images, verified, into isos/");
  base->add_option("--flavor", arguments->flavor, "virt, standard, extended or another ISO image of Alpine")
      ->capture_default_str();
  base->add_option("--release", arguments->release,
                   "a branch (3.22: its newest release) or a release (3.22.2)")
      ->capture_default_str();
  base->add_option("--arch", arguments->arch, "architecture")->capture_default_str();
  base->add_option("--mirror", arguments->mirrors, "mirror to ask, in order; repeatable [Alpine's]")
      ->allow_extra_args(false);
  base->add_option("--sha256", arguments->sha256, "digest that the ISO image must have");
  base->add_flag("--offline", arguments->offline, "use no network: everything must be cached");
  base->footer(example_of("fetch"));
  return [arguments](Context& context) { return fetch_base(context, *arguments); };
}

}  // namespace imgforge::cli
