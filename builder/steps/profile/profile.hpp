// What the steps of one profile share.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/engine/step.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/stages/model_list.hpp"
#include "builder/stages/origins.hpp"
#include "builder/stages/toolbox.hpp"
#include "builder/steps/profile/sandbox_session.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::steps {

using stages::LockedSources;
using stages::Toolbox;

/// Packages of a lock that may move while the others stay.
struct Keeping {
  LockedSources old;
  std::vector<std::string> moving;  ///< names
};

/// What is wanted of a profile beside its recipe.
struct ProfileOptions {
  std::optional<LockedSources> locked = {};  ///< made from exactly that
  std::optional<Keeping> keeping = {};       ///< the choice of packages is made anew for some of them
  stages::ListSigner list_signer = {};
  bool is_draft = false;  ///< packed fast rather than small
};

struct Profile {
  /// Both references must outlive the profile.
  Profile(Toolbox& toolbox, const recipe::ResolvedRecipe& resolved, ProfileOptions wanted);

  /// "unhinged-os-minimal/rootfs".
  std::string id(std::string_view step) const { return recipe.line() + "/" + std::string(step); }
  bool is_alpine() const { return std::holds_alternative<recipe::AlpineBase>(recipe.base); }
  artifacts::VerifiedFile blob(const core::Digest& sha256) const { return tools.blob(sha256); }
  /// Ends the sandbox and removes the files of the work, when the last step has ended: other profiles of the
  /// build need the room.
  void end_work();
  /// The effects for a step, whose parts downloads are: without network while a plan is made.
  Toolbox tools_for(const engine::Context& context) const;

  Toolbox& tools;
  const recipe::ResolvedRecipe& recipe;
  const recipe::Canonical canonical;  ///< what the parameters of steps are taken from
  ProfileOptions options;
  core::TempDir work;
  SandboxSession sandbox;
};

/// Lanes of the engine: downloads and questions to mirrors, sandboxes, machines that boot, releases.
inline constexpr const char* kNetworkLane = "network";
inline constexpr const char* kSandboxLane = "sandbox";
inline constexpr const char* kBootLane = "boot";
inline constexpr const char* kStoreLane = "store";

}  // namespace imgforge::steps
