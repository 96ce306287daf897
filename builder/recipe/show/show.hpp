// A resolved recipe as text: YAML for people (itself a recipe without profiles) and JSON for scripts and for
// the fingerprint of the plan. The code is in show_yaml.cpp and show_json.cpp.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "builder/recipe/recipe.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::recipe {

/// Canonical form: every value that influences the image and nothing else, so no places, no host paths and no
/// description. Contents of files and keys stand as sha256 and size. Equal recipes give equal text.
core::Json to_json(const ResolvedRecipe& recipe);

/// `to_json` of a recipe, for those who ask more than once: making it hashes the contents of all files.
class Canonical {
 public:
  explicit Canonical(const ResolvedRecipe& recipe);
  ~Canonical();
  const core::Json& json() const { return *json_; }

 private:
  std::unique_ptr<const core::Json> json_;
};

/// An object of those members of `object` that are named and there.
core::Json picked(const core::Json& object, std::span<const std::string_view> names);
core::Json picked(const core::Json& object, std::initializer_list<std::string_view> names);

/// `imgforge show --json`: `to_json` with a schema number, the line and the description.
std::string show_json(const ResolvedRecipe& recipe);

/// `imgforge show`: YAML. Contents of more than 4 KiB, or that are not text, appear as a comment with size
/// and sha256.
std::string show_yaml(const ResolvedRecipe& recipe);

/// A recipe with this one profile that means the same wherever it lies: what a release keeps. Contents that
/// are no text, or more than 64 KiB, are sources that are called by their sha256 (`sources/<hex>`), and so
/// are keys (`sources/<hex>/<name>`): who reads it puts them there.
std::string portable_yaml(const ResolvedRecipe& recipe);

}  // namespace imgforge::recipe
