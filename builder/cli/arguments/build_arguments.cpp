#include "builder/cli/arguments/build_arguments.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "builder/cache/cache_gc.hpp"
#include "builder/cache/fresh_steps.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/lock_arguments.hpp"
#include "builder/lock/vendor.hpp"
#include "core/bytes.hpp"

namespace imgforge::cli {
namespace {

constexpr const char* kOlderIndexFlag = "--allow-older-index";

}  // namespace

void declare_network(OptionSet& set, BuildArguments& arguments) {
  set.option("-j,--jobs", arguments.jobs, "downloads at a time").between(1, 64).show_default();
  set.flag("--offline", arguments.offline, "use no network: everything must be cached");
  set.option("--limit-rate", arguments.limit_rate, "receive at most so much a second, as in 5M");
}

void declare_isolation(OptionSet& set, std::string& isolation) {
  std::vector<std::string> words;
  for (const auto& [word, wish] : stages::kIsolationWishes) words.emplace_back(word);
  set.option(
         "--isolation", isolation,
         "where programs of images run: appliance (a virtual machine), namespace, or auto (namespaces where "
         "hardware virtualisation does not work)")
      .one_of(words)
      .show_default();
}

void declare_lock_choice(OptionSet& set, BuildArguments& arguments) {
  const Option locked = set.flag("--locked", arguments.locked, "refuse a missing or stale lock");
  set.flag("--ignore-lock", arguments.ignore_lock, "take what the mirrors have now").excludes(locked);
}

void declare_older_index(OptionSet& set, BuildArguments& arguments) {
  set.flag(kOlderIndexFlag, arguments.allow_older_index,
           "take a package index older than the last one: a mirror was set back on purpose");
}

void declare_host_files(OptionSet& set, BuildArguments& arguments) {
  set.flag("--allow-host-files", arguments.allow_host_files,
           "take models from files outside of the recipe's folder, too");
}

namespace {

std::shared_ptr<BuildArguments> declare(OptionSet& set, Choice choice) {
  auto arguments = std::make_shared<BuildArguments>();
  arguments->recipe = declare_recipe(set, choice);
  declare_network(set, *arguments);
  declare_isolation(set, arguments->isolation);
  declare_older_index(set, *arguments);
  declare_host_files(set, *arguments);
  return arguments;
}

}  // namespace

std::shared_ptr<BuildArguments> declare_build_arguments(OptionSet& set) {
  auto arguments = declare(set, Choice::kOfUser);
  set.flag("--why", arguments->why, "say what changed since the last build of each step");
  set.flag("--draft", arguments->is_draft,
           "pack fast rather than small; the release does not become current and is not exported");
  declare_lock_choice(set, *arguments);
  set.option("--vendor", arguments->vendored,
             "folder made by imgforge vendor: take everything from it, use no network");
  return arguments;
}

std::shared_ptr<BuildArguments> declare_lock_build_arguments(OptionSet& set) {
  return declare(set, Choice::kAll);
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
  cache::protect_lock(context.options.cache_dir, lock::lock_path(recipe));
  if (!arguments.vendored.empty()) lock::import_vendored(tools.fetch_context(), *lock, arguments.vendored);
  return lock;
}

std::vector<std::string> switched_off(const BuildArguments& arguments) {
  std::vector<std::string> flags;
  if (arguments.allow_older_index) flags.emplace_back(kOlderIndexFlag);
  return flags;
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

namespace {

/// A new one is for its owner alone: it holds copies of files that only he may read, and root file systems
/// with their password hashes.
std::filesystem::path checked_cache(const std::filesystem::path& cache, CacheUse use) {
  if (use == CacheUse::kWrite && !exists(cache)) {
    std::error_code ignored;  // what fails here is told below, or by the first who writes
    if (cache.has_parent_path()) std::filesystem::create_directories(cache.parent_path(), ignored);
    ::mkdir(cache.c_str(), 0700);
  }
  if (use == CacheUse::kRead || ::access(cache.c_str(), W_OK) == 0 || errno == ENOENT) return cache;
  throw core::system_error(errno, "cannot write to the cache", cache.native())
      .hint(
          "--cache-dir names another one; with a cache that can only be read work fetch --offline, model "
          "fetch "
          "--offline, model list and verify, and plan");
}

std::unique_ptr<engine::Cache> make_steps(const std::filesystem::path& root, Known known) {
  if (known == Known::kForget) return std::make_unique<cache::FreshSteps>(root);
  return std::make_unique<cache::StepCache>(root);
}

}  // namespace

BuildTools::BuildTools(Context& context, const BuildArguments& arguments, CacheUse use,
                       std::optional<artifacts::Earlier> earlier, Known known)
    : http_(fetch::make_http(http_options(arguments), context.cancel)),
      blobs_(checked_cache(context.options.cache_dir, use) / "blobs",
             earlier
                 ? std::make_unique<artifacts::DigestMemory>(context.options.cache_dir / "digests", *earlier)
                 : nullptr),
      steps_(make_steps(context.options.cache_dir / "steps", known)),
      toolbox_{
          context.processes,
          *http_,
          blobs_,
          *steps_,
          context.progress,
          context.clock,
          context.cancel,
          context.options.cache_dir,
          std::make_shared<stages::HostFacts>(context.processes, context.progress, context.options.cache_dir,
                                              context.cancel, stages::isolation_wish(arguments.isolation)),
          arguments.jobs,
          arguments.offline || !arguments.vendored.empty() ? fetch::Network::kOffline
                                                           : fetch::Network::kOnline,
          keys_folder()} {
  if (const char* flags = std::getenv("MAKEFLAGS")) toolbox_.job_server = engine::JobServer::find(flags);
  if (arguments.allow_older_index) toolbox_.older_index = fetch::OlderIndex::kAllow;
  if (arguments.allow_host_files) toolbox_.host_files = models::HostFiles::kAllow;
}

}  // namespace imgforge::cli
