#include "builder/cli/build_arguments.hpp"

#include "builder/cli/keys.hpp"

namespace imgforge::cli {

std::shared_ptr<BuildArguments> declare_build_arguments(CLI::App& app) {
  auto arguments = std::make_shared<BuildArguments>();
  arguments->recipe = declare_recipe(app);
  app.add_option("-j,--jobs", arguments->jobs, "downloads at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--offline", arguments->offline, "use no network: everything must be cached");
  app.add_flag("--why", arguments->why, "say what changed since the last build of each step");
  return arguments;
}

namespace {

fetch::HttpOptions http_options() {
  fetch::HttpOptions options;
  options.user_agent = "imgforge/" IMGFORGE_VERSION;
  return options;
}

}  // namespace

BuildTools::BuildTools(Context& context, const BuildArguments& arguments)
    : http_(fetch::make_http(http_options(), context.cancel)),
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
