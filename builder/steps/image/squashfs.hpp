// The root file system as a squashfs, for formats that never write to it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "builder/steps/image/models.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/rootfs.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct SquashfsResult {
  core::Digest sha256;
  std::uint64_t size = 0;
  std::string identity() const { return sha256.hex(); }
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("size", self.size);
  }
};

/// `models`: none when the recipe names no model.
engine::Ref<SquashfsResult> add_squashfs(engine::Graph& graph, Profile& profile,
                                         engine::Ref<RootfsResult> rootfs,
                                         const std::optional<engine::Ref<ModelsResult>>& models);

/// The root file system with the models that join it.
image::RootTree tree_of(const Profile& profile, const RootfsResult& rootfs, const ModelsResult* models);

}  // namespace imgforge::steps
