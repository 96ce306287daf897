// One format of a profile, finished.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/formats/format.hpp"
#include "builder/stages/host_files.hpp"
#include "builder/steps/image/boot_files.hpp"
#include "builder/steps/image/models.hpp"
#include "builder/steps/image/secure_boot.hpp"
#include "builder/steps/image/squashfs.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/root/rootfs.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

struct ArtifactFile {
  std::string role;  ///< "image", or which of the format's files it is
  core::Digest sha256;
  std::uint64_t size = 0;
  std::uint64_t virtual_size = 0;  ///< bytes that a machine sees; 0: the same as the file
  std::map<std::string, std::string> media;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("role", self.role);
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("virtual_size", self.virtual_size);
    visit("media", self.media);
  }
};

struct ArtifactResult {
  std::vector<ArtifactFile> files_of_format;
  std::string cmdline;  ///< of the kernel, first entry; empty when the format does not boot
  std::vector<stages::HostFile> host_files{};  ///< boot loaders, as they were when it was made
  std::vector<core::Digest> files() const;
  std::string identity() const;  ///< the digests
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("files", self.files_of_format);
    visit("cmdline", self.cmdline);
    visit("host_files", self.host_files);
  }
};

/// What formats are made from. The last four are there when the profile has such a step; which of them a
/// format reads is said by its record.
struct Ingredients {
  engine::Ref<RootfsResult> rootfs;
  std::optional<engine::Ref<ModelsResult>> models;
  std::optional<engine::Ref<BootFilesResult>> boot_files;
  std::optional<engine::Ref<SquashfsResult>> squashfs;
  std::optional<engine::Ref<SecureBootResult>> secure_boot;
};

/// Intermediate results that several formats of a profile share, such as the raw disk: made by the one that
/// asks first. Formats that are made from the same ingredients share them.
class Workshop {
 public:
  formats::Intermediates& intermediates(engine::Context& context, Profile& profile,
                                        const Ingredients& ingredients);

 private:
  std::mutex mutex_;
  std::map<std::pair<bool, bool>, std::unique_ptr<formats::Intermediates>>
      made_;  ///< by boot files, squashfs
};

/// Whether a format is an archive of the root file system, which no machine boots.
bool is_archive(const std::string& format);
/// Whether it is made from the squashfs of its root file system.
bool carries_squashfs(const recipe::ResolvedRecipe& recipe, const std::string& format);

/// "qcow2": the name of the step that makes a format. The format rootfs shares its name with a step.
std::string artifact_step(const std::string& format);

engine::Ref<ArtifactResult> add_artifact(engine::Graph& graph, Profile& profile, const std::string& format,
                                         const Ingredients& ingredients,
                                         const std::shared_ptr<Workshop>& workshop);

/// Versions of the programs that write a format.
engine::Tools format_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::string& format);
/// The same for all formats of the recipe.
engine::Tools format_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe);

/// "29.4 MB for a disk of 128M".
std::string artifact_words(const ArtifactResult& result);

}  // namespace imgforge::steps
