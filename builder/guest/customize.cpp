#include "builder/guest/customize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "builder/guest/clean.hpp"
#include "builder/guest/operations.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

void apply_operations(Sandbox& guest, const recipe::ResolvedRecipe& recipe, std::int64_t epoch) {
  const Facts facts = read_facts(guest, recipe);
  Accounts accounts({facts.text("/etc/passwd"), facts.text("/etc/group"), facts.text("/etc/shadow")});
  Overlay overlay(facts, epoch);
  Customisation job{recipe, facts, accounts, overlay};
  for (const Operation& operation : operations()) {
    core::while_doing(fmt::format("customising: {}", operation.name), [&] { operation.apply(job); });
  }
  if (overlay.empty()) return;
  core::NewFile archive(guest.scratch() / "customisation.tar", 0600);  // never kept
  overlay.write(archive.fd(), archive.path().native());
  archive.close();
  guest.tar_in(archive.path(), "/");
}

void run_step(Sandbox& guest, const recipe::RunStep& step, std::size_t number, std::size_t count,
              const CustomizeOptions& options) {
  const std::string script = fmt::format("export SOURCE_DATE_EPOCH={}\n{}\n", options.epoch, step.script);
  const ScriptResult result = guest.run(script, options.step_limit);
  if (result.exit_code == 0) return;
  const std::string which = fmt::format("run step {} of {}", number, count);
  core::Error error(core::Kind::kCustomize,
                    fmt::format("{} failed with exit code {}", which, result.exit_code));
  if (result.timed_out) {
    error = core::Error(core::Kind::kTimeout,
                        fmt::format("{} did not end within {} s", which, options.step_limit.count()));
  } else if (result.exit_code == 127) {
    error.hint("exit code 127: a command was not found");
  }
  throw std::move(error.at(step.mark).quote(core::tail_lines(result.output)));
}

}  // namespace

std::vector<std::string> customize(Sandbox& guest, const recipe::ResolvedRecipe& recipe,
                                   const CustomizeOptions& options) {
  apply_operations(guest, recipe, options.epoch);
  if (recipe.run.empty()) return {};
  const std::vector<std::string> before = find_traces(guest, recipe);
  for (std::size_t i = 0; i < recipe.run.size(); ++i) {
    if (options.on_step) options.on_step(i + 1, recipe.run.size());
    run_step(guest, recipe.run[i], i + 1, recipe.run.size(), options);
  }
  const std::vector<std::string> after = find_traces(guest, recipe);
  std::vector<std::string> written;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(written));
  return written;
}

}  // namespace imgforge::guest
