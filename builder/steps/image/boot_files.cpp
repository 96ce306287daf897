#include "builder/steps/image/boot_files.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/image/boot/boot_files.hpp"
#include "builder/image/boot/early_program.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"

namespace imgforge::steps {
namespace {

std::string digest(std::string_view bytes) {
  return core::digest_of(core::HashAlgorithm::kSha256, bytes).hex();
}

/// Whether all that boot files are made from (below /boot and the folders of programs and libraries) is as
/// the packages left it.
bool packages_decide(const recipe::ResolvedRecipe& recipe) {
  const auto in_etc = [](const auto& rows) {
    return std::all_of(rows.begin(), rows.end(),
                       [](const auto& row) { return row.path.starts_with("/etc/"); });
  };
  return recipe.run.empty() && !recipe.first_boot && !recipe.shared && recipe.links.empty() &&
         in_etc(recipe.files) && in_etc(recipe.directories);
}

BootFilesResult make(Profile& profile, const core::Digest& root) {
  constexpr auto kRemade = artifacts::Durability::kRemade;
  const core::TempDir folder(profile.work.path(), "boot");
  image::InitramfsOptions options;
  options.extra_modules = profile.recipe.kernel.initramfs_modules;
  if (std::holds_alternative<recipe::AlpineBase>(profile.recipe.base))
    options.kernel_package = profile.recipe.kernel.package;
  BootFilesResult result;
  for (const image::BootKernel& row :
       image::make_boot_files(profile.blob(root).path(), options, folder.path()).kernels) {
    const auto kernel = profile.tools.blobs.adopt(row.kernel, {}, kRemade);
    const auto initramfs = profile.tools.blobs.adopt(row.initramfs, {}, kRemade);
    result.kernels.push_back({row.release, row.modules, row.lacks, row.features, kernel.digest(),
                              initramfs.digest(), initramfs.size()});
  }
  return result;
}

}  // namespace

std::vector<core::Digest> BootFilesResult::files() const {
  std::vector<core::Digest> out;
  for (const KernelResult& kernel : kernels) {
    out.push_back(kernel.kernel);
    out.push_back(kernel.initramfs);
  }
  return out;
}

engine::Ref<BootFilesResult> add_boot_files(engine::Graph& graph, Profile& profile,
                                            engine::Ref<RootfsResult> rootfs,
                                            const std::optional<PackageSteps>& packages) {
  engine::Step<BootFilesResult> step;
  step.id = profile.id("boot files");
  step.kind = "boot files";
  step.summary = "kernel and initramfs";
  step.parameters =
      recipe::picked(profile.canonical.json().at("kernel"), {"package", "initramfs_modules"}).dump();
  const bool from_packages = packages && packages_decide(profile.recipe);
  step.inputs = {from_packages ? engine::bytes_of(packages->installed) : engine::bytes_of(rootfs)};
  step.tools = [] {
    engine::Tools tools = code_of({"artifacts/codec", "artifacts/tar", "builder/image"});
    tools["early"] = digest(image::early_program());
    return tools;
  };
  step.make = [&profile, rootfs, packages, from_packages](engine::Context& context) {
    return make(profile, from_packages ? context[packages->installed].sha256 : context[rootfs].sha256);
  };
  step.words = [](const BootFilesResult& result) {
    const KernelResult& first = result.kernels.front();
    return fmt::format(
        "{} · initramfs {} with {} modules{}", first.release, core::Bytes{first.initramfs_size}.human(),
        first.modules,
        result.kernels.size() > 1 ? fmt::format(" · {} in the menu", result.kernels[1].release) : "");
  };
  return graph.add(std::move(step), engine::recorded<BootFilesResult>());
}

image::BootFiles boot_files_of(const Profile& profile, const BootFilesResult& result) {
  image::BootFiles files;
  for (const KernelResult& row : result.kernels) {
    image::BootKernel& kernel = files.kernels.emplace_back();
    kernel.kernel = profile.blob(row.kernel).path();
    kernel.initramfs = profile.blob(row.initramfs).path();
    kernel.release = row.release;
    kernel.lacks = row.lacks;
  }
  return files;
}

}  // namespace imgforge::steps
