#include "builder/steps/release/inventory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/sbom/facts.hpp"
#include "builder/stages/unowned_files.hpp"
#include "builder/steps/profile/code_digests.hpp"

namespace imgforge::steps {
namespace {

InventoryResult make(Profile& profile, const RootfsResult& rootfs, const BootFilesResult* boot) {
  std::vector<core::Digest> kernels;
  if (boot != nullptr) {
    for (const KernelResult& kernel : boot->kernels) kernels.push_back(kernel.kernel);
  }
  stages::Ownership found = stages::look_up_owners(profile.blob(rootfs.sha256), kernels,
                                                   sbom::kMostContentFiles, profile.tools.cancel);
  InventoryResult result;
  for (stages::UnownedFile& file : found.unowned)
    result.unowned.push_back(
        {std::move(file.path), std::move(file.package), file.size, file.sha1.hex(), file.sha256});
  result.left_out = found.left_out;
  for (auto& [sha256, package] : found.owners) result.kernel_packages[sha256.hex()] = std::move(package);
  return result;
}

sbom::Component component_of(const stages::HostFile& file, std::string_view kind) {
  sbom::Component out;
  out.kind = kind;
  out.name = std::filesystem::path(file.path).filename();
  out.sha256 = file.sha256;
  if (file.package.empty()) return out;
  out.version = file.version;
  out.package = file.package;
  out.source_package = file.source_package;
  out.purl = sbom::deb_purl(file.package, file.version, file.arch, file.vendor, file.vendor_release);
  return out;
}

void add(sbom::Inventory& inventory, sbom::Component component) {
  auto& all = inventory.components;
  const auto place = std::lower_bound(all.begin(), all.end(), component);
  if (place == all.end() || *place != component) all.insert(place, std::move(component));
}

}  // namespace

engine::Ref<InventoryResult> add_inventory(engine::Graph& graph, Profile& profile,
                                           engine::Ref<RootfsResult> rootfs,
                                           const std::optional<engine::Ref<BootFilesResult>>& boot_files) {
  engine::Step<InventoryResult> step;
  step.id = profile.id("inventory");
  step.kind = "inventory";
  step.summary = "what no package brought";
  step.is_shown = false;
  step.inputs = {engine::bytes_of(rootfs)};
  if (boot_files) step.inputs.push_back(engine::value_of(*boot_files));
  step.tools = [] { return code_of({"artifacts/tar", "builder/image", "builder/stages/unowned_files"}); };
  step.make = [&profile, rootfs, boot_files](engine::Context& context) {
    return make(profile, context[rootfs], boot_files ? &context[*boot_files] : nullptr);
  };
  step.words = [](const InventoryResult& result) {
    return fmt::format("{} files of no package", result.unowned.size() + result.left_out);
  };
  return graph.add(std::move(step), engine::recorded<InventoryResult>());
}

void add_host_files(sbom::Inventory& inventory, const std::vector<stages::HostFile>& files,
                    std::string_view kind) {
  for (const stages::HostFile& file : files) add(inventory, component_of(file, kind));
}

void add_kernels(sbom::Inventory& inventory, const BootFilesResult& boot, const InventoryResult& result,
                 const artifacts::Manifest& manifest, const std::vector<stages::HostFile>& host_files) {
  for (const KernelResult& kernel : boot.kernels) {
    sbom::Component component;
    const auto host = std::find_if(host_files.begin(), host_files.end(), [&](const stages::HostFile& file) {
      return file.sha256 == kernel.kernel;
    });
    if (host != host_files.end()) component = component_of(*host, sbom::kKernel);
    component.kind = sbom::kKernel;
    component.name = "linux";
    component.version = kernel.release;
    component.sha256 = kernel.kernel;
    const auto owner = result.kernel_packages.find(kernel.kernel.hex());
    for (const artifacts::ManifestPackage& package : manifest.packages) {
      if (owner == result.kernel_packages.end() || package.name != owner->second) continue;
      component.package = package.name;
      component.source_package = package.origin;
      component.purl = sbom::purl_of(package, manifest.base);
    }
    add(inventory, std::move(component));
  }
}

}  // namespace imgforge::steps
