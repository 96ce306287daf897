#include "builder/models/model_sources.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>

#include "builder/fetch/http/http_cache.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/models/shards.hpp"
#include "builder/recipe/types.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

std::string file_url(const fs::path& path) {
  return "file://" + encoded_path(path.native());
}

/// The file that the recipe's own digest speaks of.
void pin(const recipe::Model& wanted, ModelFile& file) {
  file.sha256 = wanted.sha256;
  if (wanted.size) file.size = wanted.size->value;
  file.by = "the recipe";
}

void resolve_url(const fetch::Context& context, const recipe::Model& wanted, Model& model) {
  const std::string& url = wanted.source.location;
  const std::string name = name_of(url);
  if (!is_clean_path(name))
    throw Error(Kind::kRecipe, "the URL ends without the name of a file").at(wanted.source_mark);
  ModelFile file{.path = name, .urls = {url}};
  file.urls.insert(file.urls.end(), wanted.mirrors.begin(), wanted.mirrors.end());
  if (!is_index_name(name)) {
    pin(wanted, file);
    model.files.push_back(std::move(file));
    return;
  }
  const fetch::CachedFile index = fetch::HttpCache(context).get(
      {.what = "index of " + wanted.name, .urls = {url}, .limit = kMaxIndexBytes});
  file.role = "index";
  file.sha256 = core::digest_of(core::HashAlgorithm::kSha256, index.content);
  file.size = index.content.size();
  model.files.push_back(std::move(file));
  for (const std::string& part : parts_of_index(index.content, fetch::redacted_url(url)))
    model.files.push_back({.path = part, .urls = {folder_of(url) + encoded_path(part)}});
}

ModelFile local_file(const fs::path& path, const recipe::Model& wanted) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(path, error);
  if (error) {
    throw Error(Kind::kRecipe, fmt::format("the model {}: \"{}\": {}", wanted.name,
                                           core::escaped(path.native()), error.message()))
        .at(wanted.source_mark);
  }
  return {.path = path.filename().native(), .urls = {file_url(path)}, .size = size};
}

void resolve_file(const recipe::Model& wanted, const Places& places, Model& model) {
  const fs::path path = (places.folder / wanted.source.location).lexically_normal();
  ModelFile file = local_file(path, wanted);
  if (is_index_name(file.path)) {
    file.role = "index";
    model.files.push_back(file);
    for (const std::string& part : parts_of_index(core::read_text_file(path, kMaxIndexBytes), path.native()))
      model.files.push_back(local_file(path.parent_path() / part, wanted));
    return;
  }
  const std::vector<std::string> parts = gguf_parts(file.path);
  if (parts.size() > 1) {
    for (const std::string& part : parts)
      model.files.push_back(local_file(path.parent_path() / part, wanted));
    return;
  }
  const std::uint64_t size = *file.size;
  pin(wanted, file);
  if (!file.size) file.size = size;
  model.files.push_back(std::move(file));
}

}  // namespace

std::string hugging_face_endpoint() {
  const char* set = std::getenv("HF_ENDPOINT");
  if (set == nullptr || *set == '\0') return "https://huggingface.co";
  std::string endpoint(set);
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (const std::string fault = recipe::url_fault(endpoint); !fault.empty())
    throw Error(Kind::kUsage, fmt::format("HF_ENDPOINT={} {}", core::escaped(endpoint, 100), fault));
  return endpoint;
}

Model resolve_source(const fetch::Context& context, const recipe::Model& wanted, const Places& places) {
  Model model;
  model.name = wanted.name;
  model.version = wanted.version;
  model.source = wanted.source;
  model.licence = wanted.licence;
  switch (wanted.source.kind) {
    case recipe::SourceKind::kUrl:
      resolve_url(context, wanted, model);
      break;
    case recipe::SourceKind::kFile:
      resolve_file(wanted, places, model);
      break;
    case recipe::SourceKind::kHuggingFace:
      resolve_hugging_face(context, wanted, places, model);
      break;
    case recipe::SourceKind::kOci:
    case recipe::SourceKind::kOllama:
      resolve_registry(context, wanted, model);
      break;
  }
  return model;
}

}  // namespace imgforge::models
