#include "builder/steps/profile_graph.hpp"

#include <algorithm>
#include <thread>

#include "builder/machine/memory.hpp"
#include "builder/steps/profile/start_sandbox.hpp"

namespace imgforge::steps {

ProfileSteps add_profile(engine::Graph& graph, Profile& profile, const ReleaseRequest& request) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  ProfileSteps out;
  out.source = add_base_source(graph, profile);
  out.base = add_base(graph, profile, out.source);
  ReleaseParts parts{.source = out.source, .base = out.base};
  if (recipe.iso_base() != nullptr) {
    parts.medium = add_remaster(graph, profile, out.base);
    parts.lock = add_release_lock(graph, profile, out.source, out.base, {}, {});
    out.release = add_release(graph, profile, request, parts);
    return out;
  }
  if (!recipe.models.empty()) out.models = parts.models = add_models(graph, profile);
  if (profile.is_alpine()) {
    const auto indexes = add_indexes(graph, profile, out.source, out.base);
    const auto choice = add_packages(graph, profile, out.base, out.source, indexes);
    const auto files = add_package_files(graph, profile, out.source, indexes, choice);
    out.packages = {indexes, choice, files, add_installed(graph, profile, out.base, indexes, choice, files)};
  }
  Ingredients ingredients;
  ingredients.rootfs = add_rootfs(graph, profile, out.base, out.packages);
  ingredients.models = out.models;
  parts.rootfs = ingredients.rootfs;
  parts.file_list = add_file_list(graph, profile, ingredients.rootfs, out.models);
  const auto any_format = [&](auto&& is) {
    return std::any_of(recipe.formats.begin(), recipe.formats.end(),
                       [&](const recipe::Marked& format) { return is(format.value); });
  };
  if (any_format([](const std::string& format) { return !is_archive(format); }))
    parts.boot_files = ingredients.boot_files =
        add_boot_files(graph, profile, ingredients.rootfs, out.packages);
  parts.inventory = add_inventory(graph, profile, ingredients.rootfs, parts.boot_files);
  if (any_format([&](const std::string& format) { return carries_squashfs(recipe, format); }))
    ingredients.squashfs = add_squashfs(graph, profile, ingredients.rootfs, out.models);
  if (recipe.secure_boot) ingredients.secure_boot = add_secure_boot(graph, profile);
  const auto workshop = std::make_shared<Workshop>();
  for (const recipe::Marked& format : recipe.formats) {
    parts.artifacts.emplace_back(format.value,
                                 add_artifact(graph, profile, format.value, ingredients, workshop));
  }
  if (request.boot_test != BootTest::kNo && parts.boot_files) {
    for (const auto& [format, artifact] : parts.artifacts) {
      const auto paths = wanted_paths(recipe, format, request.boot_paths);
      if (paths.empty()) continue;
      parts.boots.push_back(
          add_boot(graph, profile, format, paths, request.boot_test, artifact, *parts.boot_files));
    }
  }
  parts.lock = add_release_lock(graph, profile, out.source, out.base, out.packages, out.models);
  out.release = add_release(graph, profile, request, parts);
  return out;
}

namespace {

/// An appliance takes so much of the machine's memory.
constexpr core::Bytes kApplianceMemory = core::mib(1024);

/// How many profiles may have a sandbox at a time.
unsigned sandboxes(const Toolbox& tools, unsigned jobs) {
  const bool is_appliance =
      !tools.start_sandbox && tools.host->isolation().isolation == stages::Isolation::kAppliance;
  if (!is_appliance) return kNamespacesPerJob * jobs;
  const auto room = static_cast<unsigned>(machine::available_memory().value / kApplianceMemory.value);
  return std::clamp(room, 1U, jobs);
}

}  // namespace

engine::Environment environment_of(Toolbox& tools, BlobCheck check) {
  engine::Environment out{tools.steps, tools.progress, tools.cancel, {}, 1};
  out.has_blob = [&blobs = tools.blobs, check](const core::Digest& sha256) {
    return check == BlobCheck::kThere ? blobs.contains(sha256) : blobs.find_again(sha256).has_value();
  };
  out.jobs = std::min(std::max(1U, std::thread::hardware_concurrency()), std::max(1U, tools.jobs));
  out.job_server = tools.job_server;
  // Once: what is free later is less by the sandboxes that run.
  out.width = [&tools, jobs = out.jobs, found = 0U](const std::string& lane) mutable {
    if (lane != kSandboxLane) return 1U;
    if (found == 0) found = sandboxes(tools, jobs);
    return found;
  };
  return out;
}

}  // namespace imgforge::steps
