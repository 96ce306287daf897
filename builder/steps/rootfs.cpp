#include "builder/steps/rootfs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/first_boot/installation.hpp"
#include "builder/guest/clean.hpp"
#include "builder/guest/customize.hpp"
#include "builder/guest/export.hpp"
#include "builder/recipe/show.hpp"
#include "builder/stages/installed_packages.hpp"
#include "builder/steps/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

artifacts::ManifestPackage row_of(const fetch::FetchedPackage& package) {
  return {package.entry.name,
          package.entry.version,
          package.entry.arch,
          fetch::redacted_url(package.url.substr(0, package.url.rfind('/'))),
          "Q1" + core::to_base64(package.entry.identity.bytes()),
          package.file.digest(),
          package.file.size()};
}

std::vector<guest::PackageFile> files_of(const PackageFiles& files) {
  std::vector<guest::PackageFile> out;
  for (const fetch::FetchedPackage& package : files.packages) {
    const auto* repository =
        fetch::find_repository(files.repositories, package.entry.name, package.entry.version);
    out.push_back({package.file.path(), package.entry.name, package.entry.version,
                   static_cast<std::size_t>(repository - files.repositories.data())});
  }
  return out;
}

RootfsResult make(engine::Context& context, Profile& profile, engine::Ref<BaseResult> base_step,
                  const std::optional<PackageSteps>& steps) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  const BaseResult& base = context[base_step];
  RootfsResult result;
  // Files that are newer than the newest input are clamped to it: a build's own moment leaves no trace.
  result.epoch = core::source_date_epoch().value_or(
      std::max(base.newest, steps ? context[steps->choice].newest() : std::int64_t{0}));
  guest::Sandbox& sandbox = profile.sandbox.with_base(context, profile.blob(base.sha256));
  if (steps && !context[steps->indexes].repositories.empty()) {
    const PackageFiles& files = context[steps->files];
    context.say(fmt::format("installing {} packages", files.packages.size()));
    guest::InstallOptions options;
    options.kernel_package = recipe.kernel.package;
    options.epoch = result.epoch;
    context.phase("install", [&] {
      guest::install(sandbox, world_of(context[steps->indexes].repositories, recipe),
                     context[steps->choice].planned(), files_of(files), options);
    });
    for (const fetch::FetchedPackage& package : files.packages) result.packages.push_back(row_of(package));
  }
  guest::CustomizeOptions options;
  options.epoch = result.epoch;
  options.on_step = [&](std::size_t step, std::size_t count) {
    context.say(fmt::format("run step {} of {}", step, count));
  };
  context.phase("customise", [&] { guest::customize(sandbox, recipe, options); });
  context.phase("clean", [&] { guest::clean_identity(sandbox); });
  const std::filesystem::path tar = profile.work / "rootfs.tar";
  context.phase("export", [&] { guest::export_rootfs(sandbox, tar, result.epoch, profile.work.path()); });
  const guest::SandboxKind kind = sandbox.kind();
  result.isolation = kind.isolation;
  result.accelerator = kind.accelerator;
  result.accelerator_reason = kind.reason;
  profile.sandbox.finish();
  const artifacts::VerifiedFile file = profile.tools.blobs.adopt(tar);
  result.sha256 = file.digest();
  result.size = file.size();
  if (steps) result.packages = stages::installed_packages(file, std::move(result.packages));
  return result;
}

}  // namespace

std::string RootfsResult::identity() const {
  return fmt::format("{} of {}", sha256.hex(), epoch);
}

std::string customisation_parameters(const Profile& profile) {
  const core::Json& all = profile.canonical.json();
  core::Json out = recipe::picked(all, {"hostname", "timezone", "groups", "users", "directories", "files",
                                        "links", "services", "modules", "sysctl", "run"});
  if (profile.recipe.first_boot) {
    out["first_boot"] = all.at("first_boot");
    out["first_boot"].erase("serial");  // stands in the list of models, which joins later
  }
  if (const auto epoch = core::source_date_epoch()) out["source_date_epoch"] = *epoch;
  return out.dump();
}

engine::Tools customisation_tools(const recipe::ResolvedRecipe& recipe) {
  engine::Tools tools = code_of({"artifacts/tar", "builder/first_boot", "builder/guest"});
  if (recipe.first_boot) tools["first boot"] = first_boot::resources_digest().hex();
  return tools;
}

engine::Ref<RootfsResult> add_rootfs(engine::Graph& graph, Profile& profile, engine::Ref<BaseResult> base,
                                     const std::optional<PackageSteps>& packages) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  engine::Step<RootfsResult> step;
  step.id = profile.id("rootfs");
  step.kind = "rootfs";
  step.summary = "packages and customisation, in a sandbox";
  core::Json parameters = core::Json::parse(customisation_parameters(profile));
  const core::Json& all = profile.canonical.json();
  parameters["repositories"] = all.at("packages").value("repositories", core::Json::array());
  parameters["kernel"] = all.at("kernel").value("package", "");
  step.parameters = parameters.dump();
  step.inputs = {engine::bytes_of(base)};
  if (packages) {
    step.inputs.push_back(engine::value_of(packages->choice));
    step.inputs.push_back(engine::when_run(packages->indexes));
    step.inputs.push_back(engine::when_run(packages->files));
  }
  step.tools = [&recipe] { return customisation_tools(recipe); };
  step.lane = kSandboxLane;
  step.prepare = [&profile] { profile.sandbox.start(); };
  step.make = [&profile, base, packages](engine::Context& context) {
    return make(context, profile, base, packages);
  };
  step.words = [](const RootfsResult& result) {
    return fmt::format("{} packages · {}", result.packages.size(), core::Bytes{result.size}.human());
  };
  return graph.add(std::move(step), engine::recorded<RootfsResult>());
}

}  // namespace imgforge::steps
