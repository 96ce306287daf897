// From a model's source to its files: asks the hub or the registry what it has, without fetching the model.
// The code is in model_sources.cpp, hugging_face.cpp and registry.cpp.
#pragma once

#include <filesystem>
#include <string>

#include "builder/fetch/http/context.hpp"
#include "builder/models/model.hpp"

namespace imgforge::models {

/// Whether a source may be any file of this machine, or one below the recipe's folder alone.
enum class HostFiles { kRefuse, kAllow };

/// What sources are looked up with.
struct Places {
  std::filesystem::path folder;  ///< of the recipe: relative paths of files start there
  HostFiles host_files = HostFiles::kRefuse;
  std::string hugging_face = "https://huggingface.co";  ///< endpoint of the hub
};

/// Endpoint of the hub as its own client finds it: HF_ENDPOINT, or the public one.
std::string hugging_face_endpoint();

/// The files of a model with the digests and sizes that its source gives. Small requests only. Throws kFetch,
/// kIntegrity, kRecipe with the model's mark; kUnsafe for files of this machine that no recipe may name.
Model resolve_source(const fetch::Context& context, const recipe::Model& wanted, const Places& places);

/// The same for the kinds of source that have a file of their own.
void resolve_hugging_face(const fetch::Context& context, const recipe::Model& wanted, const Places& places,
                          Model& model);
void resolve_registry(const fetch::Context& context, const recipe::Model& wanted, Model& model);

}  // namespace imgforge::models
