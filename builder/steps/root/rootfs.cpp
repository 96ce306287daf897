#include "builder/steps/root/rootfs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/first_boot/installation.hpp"
#include "builder/guest/clean.hpp"
#include "builder/guest/customize.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/shared_folder/installation.hpp"
#include "builder/stages/installed_packages.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::steps {
namespace {

/// Where programs ran for it: "appliance", or both when the packages came from another build.
std::string isolations(const std::string& packages, const std::string& own) {
  return packages == own ? own : packages + " and " + own;
}

RootfsResult make(engine::Context& context, Profile& profile, engine::Ref<BaseResult> base,
                  const std::optional<PackageSteps>& packages) {
  const InstalledResult* installed = packages ? &context[packages->installed] : nullptr;
  const std::int64_t epoch = installed != nullptr ? installed->epoch : epoch_of(context[base].newest);
  const core::Digest& root = installed != nullptr ? installed->sha256 : context[base].sha256;
  guest::Sandbox& sandbox = profile.sandbox.with_root(context, profile.blob(root));
  guest::CustomizeOptions options;
  options.epoch = epoch;
  options.on_step = [&](std::size_t step, std::size_t count) {
    context.say(fmt::format("run step {} of {}", step, count));
  };
  const auto written =
      context.phase("customise", [&] { return guest::customize(sandbox, profile.recipe, options); });
  if (!written.empty()) {
    context.progress().warn(
        fmt::format("{}: run steps wrote what images do not carry, and it goes: {}; what `files` name stays",
                    profile.recipe.line(), core::escaped(core::join(written, ", "), 300)));
  }
  context.phase("clean", [&] { guest::clean_identity(sandbox, profile.recipe); });
  RootfsResult result;
  static_cast<RootTar&>(result) = export_root(context, profile, sandbox, epoch);
  const guest::SandboxKind kind = sandbox.kind();
  result.accelerator = kind.accelerator;
  result.accelerator_reason = kind.reason;
  profile.sandbox.finish();
  if (installed != nullptr) {
    result.isolation = isolations(installed->isolation, kind.isolation);
    result.packages = stages::installed_packages(profile.blob(result.sha256), installed->packages);
  }
  return result;
}

}  // namespace

std::string customisation_parameters(const Profile& profile) {
  const core::Json& all = profile.canonical.json();
  core::Json out = recipe::picked(all, {"hostname", "timezone", "groups", "users", "directories", "files",
                                        "links", "services", "modules", "sysctl", "run"});
  if (profile.recipe.first_boot) {
    out["first_boot"] = all.at("first_boot");
    out["first_boot"].erase("serial");  // stands in the list of models, which joins later
  }
  if (profile.recipe.shared) out["shared"] = all.at("shared");
  if (const auto epoch = core::source_date_epoch()) out["source_date_epoch"] = *epoch;
  return out.dump();
}

engine::Tools customisation_tools(const recipe::ResolvedRecipe& recipe) {
  engine::Tools tools =
      code_of({"artifacts/tar", "builder/first_boot", "builder/guest", "builder/shared_folder"});
  if (recipe.shared) tools["shared folder"] = shared_folder::resources_digest().hex();
  if (recipe.first_boot) tools["first boot"] = first_boot::resources_digest().hex();
  return tools;
}

engine::Ref<RootfsResult> add_rootfs(engine::Graph& graph, Profile& profile, engine::Ref<BaseResult> base,
                                     const std::optional<PackageSteps>& packages) {
  engine::Step<RootfsResult> step;
  step.id = profile.id("rootfs");
  step.kind = "rootfs";
  step.summary = "customisation, in a sandbox";
  step.parameters = customisation_parameters(profile);
  // The choice too: what the manifest says of packages is recorded here.
  if (packages) {
    step.inputs = {engine::bytes_of(packages->installed), engine::value_of(packages->choice)};
  } else {
    step.inputs = {engine::bytes_of(base)};
  }
  step.tools = [&profile] { return customisation_tools(profile.recipe); };
  step.lane = kSandboxLane;
  step.holder = profile.recipe.line();
  step.prepare = [&profile] { profile.sandbox.start(); };
  step.make = [&profile, base, packages](engine::Context& context) {
    return profile.sandbox.within([&] { return make(context, profile, base, packages); });
  };
  step.words = [](const RootfsResult& result) {
    return fmt::format("{} packages · {}", result.packages.size(), core::Bytes{result.size}.human());
  };
  return graph.add(std::move(step), engine::recorded<RootfsResult>());
}

}  // namespace imgforge::steps
