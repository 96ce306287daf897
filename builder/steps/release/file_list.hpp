// The list of what a root file system consists of, which becomes a document of the release.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/steps/image/models.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/rootfs.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct FileListResult {
  core::Digest sha256;      ///< of files.json.zst, in the cache
  std::uint64_t count = 0;  ///< files and directories
  std::vector<core::Digest> files() const { return {sha256}; }
  std::string identity() const { return sha256.hex(); }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("count", self.count);
  }
};

engine::Ref<FileListResult> add_file_list(engine::Graph& graph, Profile& profile,
                                          engine::Ref<RootfsResult> rootfs,
                                          const std::optional<engine::Ref<ModelsResult>>& models);

}  // namespace imgforge::steps
