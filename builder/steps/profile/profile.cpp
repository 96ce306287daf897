#include "builder/steps/profile/profile.hpp"

#include <unistd.h>

#include "core/error.hpp"

namespace imgforge::steps {
namespace {

/// A cache that may only be read is enough when it has everything: work on the way to the answer goes
/// elsewhere.
std::filesystem::path work_folder(const Toolbox& tools) {
  const bool can_write = ::access(tools.cache_dir.c_str(), W_OK) == 0 || errno == ENOENT;
  return can_write ? tools.scratch() : std::filesystem::temp_directory_path();
}

}  // namespace

Profile::Profile(Toolbox& toolbox, const recipe::ResolvedRecipe& resolved, ProfileOptions wanted)
    : tools(toolbox),
      recipe(resolved),
      canonical(resolved),
      options(std::move(wanted)),
      work(work_folder(toolbox), "build"),
      sandbox(toolbox, work.path(), resolved.line()) {}

void Profile::end_work() {
  sandbox.finish();
  work.clear();
}

Toolbox Profile::tools_for(const engine::Context& context) const {
  Toolbox copy = tools;
  copy.activity = &context.activity();
  if (context.is_plan()) copy.network = fetch::Network::kOffline;
  return copy;
}

}  // namespace imgforge::steps
