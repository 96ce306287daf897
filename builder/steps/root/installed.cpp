#include "builder/steps/root/installed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/recipe/values/kernel_packages.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"

namespace imgforge::steps {
namespace {

artifacts::ManifestPackage row_of(const fetch::FetchedPackage& package) {
  return {package.entry.name,
          package.entry.version,
          package.entry.arch,
          fetch::redacted_url(package.url.substr(0, package.url.rfind('/'))),
          fetch::identity_text(package.entry.identity),
          package.entry.license,
          package.entry.origin,
          package.file.digest(),
          package.file.size()};
}

std::vector<guest::PackageFile> files_of(const PackageFiles& files) {
  std::vector<guest::PackageFile> out;
  for (const fetch::FetchedPackage& package : files.packages) {
    const auto* repository =
        fetch::find_repository(files.repositories, package.entry.name, package.entry.version);
    out.push_back({.file = package.file.path(),
                   .name = package.entry.name,
                   .version = package.entry.version,
                   .repository = static_cast<std::size_t>(repository - files.repositories.data()),
                   .folder = fetch::package_folder(*repository, package.entry),
                   .format = fetch::is_v3_package(package.file.path()) ? guest::PackageFormat::kApk3
                                                                       : guest::PackageFormat::kApk2});
  }
  return out;
}

/// All that the recipe says to packages: also what changes no choice stands in the image, in apk's files.
std::string parameters_of(const Profile& profile) {
  const core::Json& all = profile.canonical.json();
  core::Json out{{"mirrors", std::get<recipe::AlpineBase>(profile.recipe.base).image_mirrors()},
                 {"packages", all.at("packages")},
                 {"kernel", all.at("kernel").value("package", "")}};
  if (const auto epoch = core::source_date_epoch()) out["source_date_epoch"] = *epoch;
  return out.dump();
}

InstalledResult make(engine::Context& context, Profile& profile, engine::Ref<BaseResult> base,
                     engine::Ref<Indexes> indexes, engine::Ref<PackageChoice> choice,
                     engine::Ref<PackageFiles> files) {
  const std::vector<fetch::Repository>& repositories = context[indexes].repositories;
  const std::int64_t epoch = epoch_of(std::max(context[base].newest, context[choice].newest()));
  guest::Sandbox& sandbox = profile.sandbox.with_root(context, profile.blob(context[base].sha256));
  InstalledResult result;
  if (!repositories.empty()) {
    context.say(fmt::format("installing {} packages", context[files].packages.size()));
    guest::InstallOptions options;
    options.kernels.insert(profile.recipe.kernel.package);
    for (const guest::PlannedPackage& package : context[choice].planned()) {
      if (recipe::is_kernel_package(package.name)) options.kernels.insert(package.name);
    }
    options.epoch = epoch;
    context.phase("install", [&] {
      guest::install(sandbox, world_of(repositories, profile.recipe), context[choice].planned(),
                     files_of(context[files]), options);
    });
    for (const fetch::FetchedPackage& package : context[files].packages)
      result.packages.push_back(row_of(package));
  }
  static_cast<RootTar&>(result) = export_root(context, profile, sandbox, epoch);
  return result;
}

}  // namespace

engine::Ref<InstalledResult> add_installed(engine::Graph& graph, Profile& profile,
                                           engine::Ref<BaseResult> base, engine::Ref<Indexes> indexes,
                                           engine::Ref<PackageChoice> choice,
                                           engine::Ref<PackageFiles> files) {
  engine::Step<InstalledResult> step;
  step.id = profile.id("installed");
  step.kind = "installed";
  step.summary = "base and packages, put together in a sandbox";
  step.parameters = parameters_of(profile);
  step.inputs = {engine::bytes_of(base), engine::value_of(choice), engine::when_run(indexes),
                 engine::when_run(files)};
  step.tools = [] { return code_of({"artifacts/tar", "builder/guest"}); };
  step.lane = kSandboxLane;
  step.holder = profile.recipe.line();
  step.prepare = [&profile] { profile.sandbox.start(); };
  step.make = [&profile, base, indexes, choice, files](engine::Context& context) {
    return profile.sandbox.within([&] { return make(context, profile, base, indexes, choice, files); });
  };
  step.words = [](const InstalledResult& result) {
    return fmt::format("{} packages · {}", result.packages.size(), core::Bytes{result.size}.human());
  };
  return graph.add(std::move(step), engine::recorded<InstalledResult>());
}

}  // namespace imgforge::steps
