// lock, update, outdated: three views of one file, the lock beside a recipe.
#include "builder/steps/lock.hpp"

#include <fmt/format.h>

#include "builder/cache/cache_gc.hpp"
#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/lock_arguments.hpp"
#include "core/atomic_file.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

struct Arguments {
  std::shared_ptr<BuildArguments> build;
  std::vector<std::string> packages;
};

std::shared_ptr<Arguments> declare(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  arguments->build = declare_lock_build_arguments(set);
  return arguments;
}

/// Makes the lock, writes it, and says what is other than before.
int write_lock(Context& context, const Arguments& arguments, const std::optional<lock::Lock>& before,
               const std::optional<steps::Moving>& moving) {
  const std::filesystem::path& recipe = arguments.build->recipe->file;
  BuildTools tools(context, *arguments.build);
  const auto profiles = resolve_profiles(*arguments.build->recipe, core::build_time(context.clock));
  const lock::Lock now = steps::make_lock(tools.toolbox(), recipe.filename().native(), profiles, moving);
  const std::filesystem::path path = lock::lock_path(recipe);
  const auto changes = lock::compare(before.value_or(lock::Lock{}), now);
  const std::string text = lock::print_lock(now);
  const bool same = before && lock::print_lock(*before) == text;
  if (!same) core::write_file_atomically(path, text);
  cache::protect_lock(context.options.cache_dir, path);
  context.progress.note(fmt::format("{}: {} packages for {} profile{}{}", path.native(), now.packages.size(),
                                    now.profiles.size(), now.profiles.size() == 1 ? "" : "s",
                                    same ? ", unchanged" : ""));
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"file", path.native()},
                            {"packages", now.packages.size()},
                            {"written", !same},
                            {"changes", changes_json(changes)}}));
  } else if (before) {
    print(changes_text(changes));
  }
  return 0;
}

int update(Context& context, const Arguments& arguments) {
  const lock::Lock before = require_lock(arguments.build->recipe->file);
  std::optional<steps::Moving> moving;
  if (!arguments.packages.empty()) moving.emplace(steps::Moving{before, arguments.packages});
  return write_lock(context, arguments, before, moving);
}

int outdated(Context& context, const Arguments& arguments) {
  const lock::Lock lock = require_lock(arguments.build->recipe->file);
  BuildTools tools(context, *arguments.build);
  const auto profiles = resolve_profiles(*arguments.build->recipe, core::build_time(context.clock));
  check_lock(context, lock, arguments.build->recipe->file, profiles, StaleLock::kWarn);
  core::Json rows = core::Json::array();
  std::string text;
  for (const steps::Outdated& row : steps::find_outdated(tools.toolbox(), lock, profiles)) {
    rows.push_back(
        {{"name", row.name}, {"locked", row.locked}, {"newest", row.newest}, {"profiles", row.profiles}});
    text += fmt::format("{:<28} {:<18} {:<18} {}\n", row.name, row.locked,
                        row.newest.empty() ? "gone" : row.newest, core::join(row.profiles, " "));
  }
  if (!text.empty())
    text = fmt::format("{:<28} {:<18} {:<18} {}\n", "NAME", "LOCKED", "NEWEST", "PROFILES") + text;
  if (text.empty()) context.progress.note("nothing is outdated");
  print(context.options.json ? core::print_json({{"schema", 1}, {"outdated", rows}}) : text);
  return 0;
}

}  // namespace

Runner declare_lock(OptionSet& set) {
  const auto arguments = declare(set);
  return [arguments](Context& context) {
    return write_lock(context, *arguments, find_lock(arguments->build->recipe->file), std::nullopt);
  };
}

Runner declare_update(OptionSet& set) {
  const auto arguments = declare(set);
  set.positional("packages", arguments->packages, "packages that may move; all else stays [everything]");
  return [arguments](Context& context) { return update(context, *arguments); };
}

Runner declare_outdated(OptionSet& set) {
  const auto arguments = declare(set);
  return [arguments](Context& context) { return outdated(context, *arguments); };
}

}  // namespace imgforge::cli
