// Flags that build and plan share, and the toolbox made from them.
#pragma once

#include <memory>
#include <string>

#include "builder/cli/recipe_arguments.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::cli {

struct BuildArguments {
  std::shared_ptr<RecipeArguments> recipe;
  unsigned jobs = 8;
  bool offline = false;
  bool dry_run = false;
  bool why = false;
  std::string limit_rate;  ///< a size per second; empty: no limit
};

/// Declares --jobs, --offline and --limit-rate.
void declare_network(CLI::App& app, BuildArguments& arguments);
/// Declares --why, what declare_network declares and the recipe's flags.
std::shared_ptr<BuildArguments> declare_build_arguments(CLI::App& app);

/// The effects of a build with the parts that they stand on.
class BuildTools {
 public:
  BuildTools(Context& context, const BuildArguments& arguments);
  stages::Toolbox& toolbox() { return toolbox_; }

 private:
  std::unique_ptr<fetch::Http> http_;
  artifacts::BlobStore blobs_;
  stages::StepCache steps_;
  stages::Toolbox toolbox_;
};

/// What `plan` and `build --dry-run` print: the steps of the profiles and which would run.
int print_plan(Context& context, const BuildArguments& arguments);

}  // namespace imgforge::cli
