#include "builder/cli/build_arguments.hpp"

#include "builder/cli/keys.hpp"
#include "core/bytes.hpp"

namespace imgforge::cli {

std::shared_ptr<BuildArguments> declare_build_arguments(CLI::App& app) {
  auto arguments = std::make_shared<BuildArguments>();
  arguments->recipe = declare_recipe(app);
  declare_network(app, *arguments);
  app.add_flag("--why", arguments->why, "say what changed since the last build of each step");
  return arguments;
}

void declare_network(CLI::App& app, BuildArguments& arguments) {
  app.add_option("-j,--jobs", arguments.jobs, "downloads at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--offline", arguments.offline, "use no network: everything must be cached");
  app.add_option("--limit-rate", arguments.limit_rate, "receive at most so much a second, as in 5M");
}

namespace {

fetch::HttpOptions http_options(const BuildArguments& arguments) {
  fetch::HttpOptions options;
  options.user_agent = "imgforge/" IMGFORGE_VERSION;
  if (!arguments.limit_rate.empty()) options.rate = core::Bytes::parse(arguments.limit_rate).value;
  if (!arguments.offline)
    options.credentials = std::make_shared<fetch::Credentials>(fetch::credentials_from_environment());
  return options;
}

}  // namespace

BuildTools::BuildTools(Context& context, const BuildArguments& arguments)
    : http_(fetch::make_http(http_options(arguments), context.cancel)),
      blobs_(context.options.cache_dir / "blobs"),
      steps_(context.options.cache_dir / "steps"),
      toolbox_{context.processes,
               *http_,
               blobs_,
               steps_,
               context.progress,
               context.clock,
               context.cancel,
               context.options.cache_dir,
               arguments.jobs,
               arguments.offline ? fetch::Network::kOffline : fetch::Network::kOnline,
               keys_folder()} {}

}  // namespace imgforge::cli
