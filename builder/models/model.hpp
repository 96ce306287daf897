// A model whose files are known by name, place and digest: what a source resolves to, what a lock can hold
// and what goes into images.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/models/files/summary.hpp"
#include "builder/recipe/values/model.hpp"
#include "core/digest.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::models {

/// One file of a model. After fetching, sha256 and size are there.
struct ModelFile {
  std::string path;                    ///< below the model's folder, clean: "model.gguf", "sub/config.json"
  std::vector<std::string> urls = {};  ///< https, http or file, tried in order
  std::optional<core::Digest> sha256 = {};
  std::string git_blob = {};  ///< git's object name (sha1) of a small file that has no other digest
  std::optional<std::uint64_t> size = {};
  std::string role = "model";   ///< "model", "index", "config", "manifest", "license", "template", ...
  std::string media_type = {};  ///< of registries
  std::string by = {};          ///< who promised the digest, for messages
};

/// A model with all its files.
struct Model {
  Model();
  Model(const Model&);
  Model(Model&&) noexcept;
  Model& operator=(const Model&);
  Model& operator=(Model&&) noexcept;
  ~Model();

  std::string name;
  std::string version;  ///< as the recipe says, or the beginning of the digest
  recipe::ModelSource source;
  std::string revision;  ///< what a moving name led to: a commit, or the digest of a manifest
  std::string renamed;   ///< what the hub calls the repository today, where it is another name
  std::string licence;   ///< as the recipe, the source or the file says
  std::vector<ModelFile> files;
  Summary summary;

  std::uint64_t size() const;
  /// Of one file its sha256; of several that of the lines that sha256sum prints of them, sorted by name.
  /// Every file must have a digest.
  core::Digest digest() const;
  /// Package URL (purl) where the kind of source has one; else empty.
  std::string package_url() const;
};

/// What a record or a lock holds of a model. `model_from_json` throws kIntegrity for anything else.
core::Json to_json(const Model& model);
Model model_from_json(const core::Json& json, std::string_view what);
core::Json summary_json(const Summary& summary);

/// True for a path that is relative, clean and of plain characters, so that it can be put below a folder.
bool is_clean_path(std::string_view path);
/// Percent-encodes what a path of a URL cannot hold; slashes stay.
std::string encoded_path(std::string_view path);

}  // namespace imgforge::models
