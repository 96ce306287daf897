// What a root file system holds beside its packages, for the bill of materials: files that no package owns,
// and whose its kernels are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/sbom/inventory.hpp"
#include "builder/steps/image/boot_files.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/rootfs.hpp"

namespace imgforge::steps {

struct InventoryResult {
  std::vector<sbom::ContentFile> unowned;
  std::uint64_t left_out = 0;
  std::map<std::string, std::string> kernel_packages;  ///< by sha256 of the kernel, in hex
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("unowned", self.unowned);
    visit("left_out", self.left_out);
    visit("kernel_packages", self.kernel_packages);
  }
};

engine::Ref<InventoryResult> add_inventory(engine::Graph& graph, Profile& profile,
                                           engine::Ref<RootfsResult> rootfs,
                                           const std::optional<engine::Ref<BootFilesResult>>& boot_files);

/// Files of this machine as components; one that is in the list twice counts once.
void add_host_files(sbom::Inventory& inventory, const std::vector<stages::HostFile>& files,
                    std::string_view kind);
/// Kernels as components: with the package of the image that brought it, else with that of this machine out
/// of `host_files`, else by its digest.
void add_kernels(sbom::Inventory& inventory, const BootFilesResult& boot, const InventoryResult& result,
                 const artifacts::Manifest& manifest, const std::vector<stages::HostFile>& host_files);

}  // namespace imgforge::steps
