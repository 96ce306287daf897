// The models of a recipe as members of its images: obtained, checked, and laid out. They join the root file
// system when an image is put together; the appliance never sees them.
#pragma once

#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/model_list.hpp"
#include "builder/stages/origins.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/digest.hpp"

namespace imgforge::stages {

struct ModelMembers {
  std::vector<image::AddedMember> added;  ///< times are not set yet
  core::Digest identity;                  ///< of what is added where; empty when nothing is
  std::vector<artifacts::ManifestModel> rows;
  std::uint64_t bytes = 0;  ///< of all models that are in the image
};

/// What a lock holds of a model: all of it fetched, or described when machines fetch it themselves.
lock::LockedModel obtain_for_lock(Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                                  const recipe::Model& wanted);

/// Fetches what is missing, from a lock exactly what that says. That the models fit on the disk is checked
/// before. Throws kRecipe with the model's mark, kFetch, kIntegrity, kUnsafe.
ModelMembers obtain_models(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const ListSigner& signer,
                           const std::optional<LockedSources>& locked);

}  // namespace imgforge::stages
