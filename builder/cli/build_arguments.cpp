#include "builder/cli/build_arguments.hpp"

#include "builder/cli/keys.hpp"
#include "builder/cli/lock_arguments.hpp"
#include "builder/stages/cache_gc.hpp"
#include "builder/stages/vendor.hpp"

namespace imgforge::cli {

namespace {

std::shared_ptr<BuildArguments> declare(CLI::App& app, Choice choice) {
  auto arguments = std::make_shared<BuildArguments>();
  arguments->recipe = declare_recipe(app, choice);
  app.add_option("-j,--jobs", arguments->jobs, "downloads at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--offline", arguments->offline, "use no network: everything must be cached");
  return arguments;
}

}  // namespace

std::shared_ptr<BuildArguments> declare_build_arguments(CLI::App& app) {
  auto arguments = declare(app, Choice::kOfUser);
  app.add_flag("--why", arguments->why, "say what changed since the last build of each step");
  CLI::Option* locked = app.add_flag("--locked", arguments->locked, "refuse a missing or stale lock");
  app.add_flag("--ignore-lock", arguments->ignore_lock, "take what the mirrors have now")->excludes(locked);
  app.add_option("--vendor", arguments->vendored,
                 "folder made by imgforge vendor: take everything from it, use no network");
  return arguments;
}

std::shared_ptr<BuildArguments> declare_lock_build_arguments(CLI::App& app) {
  return declare(app, Choice::kAll);
}

std::optional<lock::Lock> lock_to_use(Context& context, const BuildArguments& arguments,
                                      const std::vector<recipe::ResolvedRecipe>& profiles,
                                      stages::Toolbox& tools) {
  if (arguments.ignore_lock) return std::nullopt;
  const std::filesystem::path& recipe = arguments.recipe->file;
  const bool required = arguments.locked || !arguments.vendored.empty();
  std::optional<lock::Lock> lock = required ? require_lock(recipe) : find_lock(recipe);
  if (!lock) return lock;
  check_lock(context, *lock, recipe, profiles, required ? StaleLock::kRefuse : StaleLock::kWarn);
  stages::protect_lock(context.options.cache_dir, lock::lock_path(recipe));
  if (!arguments.vendored.empty()) stages::import_vendored(tools, *lock, arguments.vendored);
  return lock;
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
               arguments.offline || !arguments.vendored.empty() ? fetch::Network::kOffline
                                                                : fetch::Network::kOnline,
               keys_folder()} {}

}  // namespace imgforge::cli
