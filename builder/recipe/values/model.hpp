// AI models of a recipe: the list `models`. A source is parsed here, where a mistake can still be shown at
// its place; what it leads to is the subject of builder/models. The code is in models.cpp and
// model_source.cpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace imgforge::recipe {

class Node;
struct ResolvedRecipe;

enum class SourceKind { kUrl, kFile, kHuggingFace, kOci, kOllama };

/// Where a model comes from, taken apart.
struct ModelSource {
  SourceKind kind = SourceKind::kUrl;
  std::string text;      ///< as written, but for the query of a URL
  std::string location;  ///< the URL; the path of a file; "org/repo"; the repository in a registry
  std::string query =
      {};  ///< of a URL, with its "?": may be a secret, so it is sent and never written anywhere
  std::string host = {};  ///< registry, with port: "ghcr.io", "127.0.0.1:5000"
  std::string reference;  ///< revision, tag, or "sha256:<hex>"
  std::string path = {};  ///< kHuggingFace: of the file in its repository
};

/// Why a text cannot be a source; empty when it can.
std::string model_source_fault(std::string_view text);
/// Throws kUsage for what model_source_fault finds.
ModelSource parse_model_source(std::string_view text);

/// When a model gets into the image: while it is built, or when the machine starts for the first time.
enum class ModelTime { kBuild, kFirstBoot };

/// How its files lie in the image: in a folder of their own, or as a client finds them without network.
enum class ModelLayout { kPlain, kHuggingFace, kOllama };

struct Model {
  std::string name;
  ModelSource source;
  std::vector<ModelSource> mirrors = {};  ///< further URLs of the same file
  std::string version = {};               ///< empty: of its digest
  std::optional<core::Digest> sha256 = {};
  std::optional<core::Bytes> size = {};
  std::string format = {};  ///< "gguf", "safetensors", "onnx", "raw"; empty: by content
  std::string licence = {};
  std::string path = {};  ///< folder in the image; empty: the usual one of its layout
  ModelTime when = ModelTime::kBuild;
  ModelLayout layout = ModelLayout::kPlain;
  std::string quantization = {};
  std::string parameters = {};
  std::map<std::string, std::string> metadata = {};
  std::vector<std::string> allow_pickle = {};  ///< names of files that may carry code
  core::Mark mark = {};                        ///< of the name
  core::Mark source_mark = {};
  /// The URL to fetch for one that may be recorded: that of the source or of a mirror gets its query back.
  std::string with_query(const std::string& url) const;
};

std::string_view layout_word(ModelLayout layout);
std::string_view time_word(ModelTime time);

/// The list `models` of a complete, checked tree. Throws kRecipe for what cannot go together.
std::vector<Model> read_models(const Node& top);
/// What shows only beside the rest of the recipe: bases and formats that cannot hold models.
void check_models(const ResolvedRecipe& recipe);

}  // namespace imgforge::recipe
