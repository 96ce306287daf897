// The boots of one format before it is published; what was seen stands for as long as image, paths and
// demands stay.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/image/artifact.hpp"
#include "builder/steps/image/boot_files.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/vm/boot_path.hpp"

namespace imgforge::steps {

/// kRequired: nothing is published that did not boot by every path that its formats claim, also where the
/// kernel cannot take one.
enum class BootTest { kNo, kYes, kRequired };

struct BootRow {
  std::string artifact;  ///< the format; the file's name is known with the release
  std::string path;
  std::string accelerator;
  std::uint64_t memory = 0;
  unsigned cpus = 0;
  std::vector<std::pair<std::string, std::uint64_t>> markers;  ///< and milliseconds since power-on
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("artifact", self.artifact);
    visit("path", self.path);
    visit("accelerator", self.accelerator);
    visit("memory", self.memory);
    visit("cpus", self.cpus);
    visit("markers", self.markers);
  }
};

struct BootResult {
  std::vector<BootRow> rows;
  std::vector<artifacts::ManifestBoot> boots() const;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("rows", self.rows);
  }
};

/// The paths by which a format is booted: all that it claims, or those of them that are wanted.
std::vector<vm::BootPath> wanted_paths(const recipe::ResolvedRecipe& recipe, const std::string& format,
                                       const std::vector<vm::BootPath>& wanted);

/// `paths` must not be empty. Paths that the kernel cannot take are left out and told, or refused when `test`
/// is kRequired.
engine::Ref<BootResult> add_boot(engine::Graph& graph, Profile& profile, const std::string& format,
                                 const std::vector<vm::BootPath>& paths, BootTest test,
                                 engine::Ref<ArtifactResult> artifact,
                                 engine::Ref<BootFilesResult> boot_files);

}  // namespace imgforge::steps
