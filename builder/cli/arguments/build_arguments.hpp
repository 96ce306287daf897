// Flags that build and plan share, and the toolbox made from them.
#pragma once

#include <memory>
#include <string>

#include "builder/cli/arguments/recipe_arguments.hpp"
#include "builder/lock/lock.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::cli {

struct BuildArguments {
  std::shared_ptr<RecipeArguments> recipe;
  unsigned jobs = 8;
  bool offline = false;
  bool dry_run = false;
  bool why = false;
  bool is_draft = false;
  bool locked = false;
  bool ignore_lock = false;
  std::filesystem::path vendored;
  std::string limit_rate;  ///< a size per second; empty: no limit
  bool allow_older_index = false;
  bool allow_host_files = false;
  std::string isolation = "auto";
};

/// Declares --jobs, --offline and --limit-rate.
void declare_network(OptionSet& set, BuildArguments& arguments);
/// Declares --isolation.
void declare_isolation(OptionSet& set, std::string& isolation);
/// Declares --locked and --ignore-lock.
void declare_lock_choice(OptionSet& set, BuildArguments& arguments);
/// Declares --allow-older-index.
void declare_older_index(OptionSet& set, BuildArguments& arguments);
/// Declares --allow-host-files.
void declare_host_files(OptionSet& set, BuildArguments& arguments);
/// Declares what declare_network does, the recipe's flags and those about its lock.
std::shared_ptr<BuildArguments> declare_build_arguments(OptionSet& set);
/// Declares what declare_network does and the recipe's flags for commands that work on the lock itself.
std::shared_ptr<BuildArguments> declare_lock_build_arguments(OptionSet& set);

/// Whether a command can do its work with a cache that it may only read.
enum class CacheUse { kRead, kWrite };

/// Whether results that earlier runs recorded are used.
enum class Known { kUse, kForget };

/// The effects of a build with the parts that they stand on.
class BuildTools {
 public:
  /// `earlier`: what to do with digests that earlier builds remembered; nothing: this is not a build, and
  /// what it uses is hashed. Throws kPermission when the cache is there, must be written and cannot be.
  BuildTools(Context& context, const BuildArguments& arguments, CacheUse use = CacheUse::kWrite,
             std::optional<artifacts::Earlier> earlier = {}, Known known = Known::kUse);
  stages::Toolbox& toolbox() { return toolbox_; }

 private:
  std::unique_ptr<fetch::Http> http_;
  artifacts::BlobStore blobs_;
  std::unique_ptr<engine::Cache> steps_;
  stages::Toolbox toolbox_;
};

/// The lock to build from, checked as the flags say; its vendored bytes are in the cache then.
std::optional<lock::Lock> lock_to_use(Context& context, const BuildArguments& arguments,
                                      const std::vector<recipe::ResolvedRecipe>& profiles,
                                      stages::Toolbox& tools);

/// The checks that the flags switch off, for the manifest: by the name of the flag, whether or not it made a
/// difference on this machine.
std::vector<std::string> switched_off(const BuildArguments& arguments);

/// What `plan` and `build --dry-run` print: the steps of the profiles and which would run.
int print_plan(Context& context, const BuildArguments& arguments);

}  // namespace imgforge::cli
