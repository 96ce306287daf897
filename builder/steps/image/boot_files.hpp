// Kernels and their initramfs, out of the root file system.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/image/boot/boot_menu.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/rootfs.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct KernelResult {
  std::string release;
  std::uint64_t modules = 0;  ///< in the initramfs
  std::vector<std::string>
      lacks;  ///< modules that some formats and boot paths need and this kernel does not have
  artifacts::KernelFeatures features;  ///< what machines can use of it; empty: not known
  core::Digest kernel;
  core::Digest initramfs;
  std::uint64_t initramfs_size = 0;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("release", self.release);
    visit("modules", self.modules);
    visit("lacks", self.lacks);
    visit("features", self.features);
    visit("kernel", self.kernel);
    visit("initramfs", self.initramfs);
    visit("initramfs_size", self.initramfs_size);
  }
};

/// The one that boots first; never empty.
struct BootFilesResult {
  std::vector<KernelResult> kernels;
  std::vector<core::Digest> files() const;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("kernels", self.kernels);
  }
};

/// They are made from the root file system as the packages left it where the recipe then changes nothing that
/// they are made from: profiles of equal packages share them.
engine::Ref<BootFilesResult> add_boot_files(engine::Graph& graph, Profile& profile,
                                            engine::Ref<RootfsResult> rootfs,
                                            const std::optional<PackageSteps>& packages);

/// The files as image makers take them.
image::BootFiles boot_files_of(const Profile& profile, const BootFilesResult& result);

}  // namespace imgforge::steps
