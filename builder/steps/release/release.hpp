// The release of a profile: manifest, sums and signatures, published behind one rename.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/engine/graph.hpp"
#include "builder/steps/image/artifact.hpp"
#include "builder/steps/image/boot.hpp"
#include "builder/steps/image/boot_files.hpp"
#include "builder/steps/image/models.hpp"
#include "builder/steps/image/remaster.hpp"
#include "builder/steps/profile/profile.hpp"
#include "builder/steps/release/file_list.hpp"
#include "builder/steps/release/inventory.hpp"
#include "builder/steps/release/release_lock.hpp"
#include "builder/steps/root/base.hpp"
#include "builder/steps/root/rootfs.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::steps {

/// How releases of one call are published.
struct ReleaseRequest {
  std::filesystem::path output_dir;
  core::Digest recipe_sha256;  ///< of the recipe file's bytes
  core::UnixTime build_time;
  BootTest boot_test = BootTest::kNo;
  /// Only these paths are booted; empty: all that each format claims.
  std::vector<vm::BootPath> boot_paths = {};
  signing::Signer signer = {};  ///< nobody: unsigned releases, which their manifests say
  /// As in artifacts::PublishRequest.
  artifacts::SignatureCheck signature = {};
  std::string builder_id = {};  ///< who the provenance says has built it: a URI; empty: nobody in particular
  /// Packed fast rather than small, never current.
  bool is_draft = false;
  /// Checks that flags switched off, for the manifests.
  std::vector<std::string> insecure = {};
};

struct ReleaseResult {
  artifacts::PublishResult published;
  std::vector<artifacts::ManifestBoot> boots;  ///< of this build's boot tests
};

/// What a release is made of. Of an ISO base there is the medium alone, of any other at least a root file
/// system and formats.
struct ReleaseParts {
  engine::Ref<BaseSource> source;
  engine::Ref<BaseResult> base;
  std::optional<engine::Ref<ModelsResult>> models = {};
  std::optional<engine::Ref<RootfsResult>> rootfs = {};
  std::optional<engine::Ref<FileListResult>> file_list = {};
  std::optional<engine::Ref<BootFilesResult>> boot_files = {};
  std::optional<engine::Ref<InventoryResult>> inventory = {};
  std::vector<std::pair<std::string, engine::Ref<ArtifactResult>>> artifacts =
      {};  ///< by format, in the recipe's order
  std::vector<engine::Ref<BootResult>> boots = {};
  std::optional<engine::Ref<RemasterResult>> medium = {};
  engine::Ref<ReleaseLock> lock = {};
};

/// `request` must outlive the graph.
engine::Ref<ReleaseResult> add_release(engine::Graph& graph, Profile& profile, const ReleaseRequest& request,
                                       const ReleaseParts& parts);

}  // namespace imgforge::steps
