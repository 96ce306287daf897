#include "builder/stages/fetch_recipe.hpp"

#include <unistd.h>

#include <filesystem>

#include "builder/plan/plan.hpp"
#include "builder/stages/model_members.hpp"
#include "builder/stages/profile_sources.hpp"
#include "builder/stages/sources.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

void fetch_models(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                  const std::optional<LockedSources>& locked) {
  // What machines fetch at their first start is only described; nobody signs here.
  obtain_models(tools, recipe, {}, locked);
}

void fetch_profile(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                   const std::optional<LockedSources>& locked) {
  StepRunner runner(tools);
  const plan::Plan plan = plan::make_plan(recipe);
  // A cache that may only be read is enough when it has everything: work on the way to the answer goes
  // elsewhere.
  const bool can_write = ::access(tools.cache_dir.c_str(), W_OK) == 0;
  const core::TempDir work(can_write ? tools.scratch() : std::filesystem::temp_directory_path(),
                           "imgforge-fetch");
  ProfileSources sources(tools, recipe, runner, plan, work.path(), locked);
  const artifacts::VerifiedFile& base = sources.base();
  if (!sources.origin().alpine) return;
  // A base that a record knows was not asked for: the downloader had nothing to tell.
  if (tools.on_fetched && runner.reports().back().state == StepState::kKnown)
    tools.on_fetched({.name = sources.origin().title, .size = base.size(), .sha256 = base.digest()});
  sources.fetch();
}

}  // namespace

void fetch_recipe(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                  const std::optional<lock::Lock>& lock) {
  core::while_doing("fetching for " + recipe.line(), [&] {
    const std::optional<LockedSources> locked = usable_lock(lock ? &*lock : nullptr, recipe);
    fetch_models(tools, recipe, locked);
    if (recipe.iso_base() != nullptr) {
      obtain_base(tools, find_base(tools, recipe, locked));
    } else {
      fetch_profile(tools, recipe, locked);
    }
  });
}

}  // namespace imgforge::stages
