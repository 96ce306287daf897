// Where the files of models lie in an image: folders of their own, or as the clients of Hugging Face and
// Ollama lay them out, so that those find them without network.
#pragma once

#include <string>
#include <vector>

#include "builder/models/model.hpp"

namespace imgforge::models {

/// One thing in the image. Paths are relative to its root and clean; folders are not named.
struct Placed {
  enum class Kind { kBlob, kText, kLink };
  Kind kind = Kind::kBlob;
  std::string path;
  core::Digest sha256 = {};  ///< kBlob
  std::uint64_t size = 0;    ///< kBlob
  std::string text = {};     ///< kText: content; kLink: target
  bool operator==(const Placed&) const = default;
};

/// Places one model that was fetched. `home` names the usual folder, /var/lib/<home>/models.
std::vector<Placed> place(const Model& model, const recipe::Model& wanted, const std::string& home);

/// Places of several models together, sorted by path. Models may share files; two different ones at one path,
/// or one below another, are kRecipe.
std::vector<Placed> merged(std::vector<Placed> all);

/// The rows of the list by which a machine fetches its models when it starts for the first time: a line a
/// file, fields separated by tabs: name, version, path below the model's folder, size, sha256, URLs
/// (separated by blanks; "-" when there are none).
std::string first_boot_rows(const std::vector<Model>& models);

}  // namespace imgforge::models
