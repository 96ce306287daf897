#include "builder/models/sources/model_sources.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>

#include "builder/fetch/http/http_cache.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/models/shards.hpp"
#include "builder/recipe/document/source_files.hpp"
#include "builder/recipe/values/types.hpp"
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
  for (const recipe::ModelSource& mirror : wanted.mirrors) file.urls.push_back(mirror.text);
  if (!is_index_name(name)) {
    pin(wanted, file);
    model.files.push_back(std::move(file));
    return;
  }
  const fetch::CachedFile index = fetch::HttpCache(context).get(
      {.what = "index of " + wanted.name, .urls = {wanted.with_query(url)}, .limit = kMaxIndexBytes});
  file.role = "index";
  file.sha256 = core::digest_of(core::HashAlgorithm::kSha256, index.content);
  file.size = index.content.size();
  model.files.push_back(std::move(file));
  for (const std::string& part : parts_of_index(index.content, fetch::redacted_url(url)))
    model.files.push_back({.path = part, .urls = {folder_of(url) + encoded_path(part)}});
}

/// Files of this machine: a recipe can name those below its folder, and whoever builds can allow it others.
class LocalFiles {
 public:
  LocalFiles(const recipe::Model& wanted, const Places& places) : wanted_(wanted), places_(places) {}

  void resolve(Model& model) {
    const fs::path path = (places_.folder / wanted_.source.location).lexically_normal();
    ModelFile file = find(path);
    if (is_index_name(file.path)) {
      file.role = "index";
      model.files.push_back(file);
      for (const std::string& part :
           parts_of_index(core::read_text_file(path, kMaxIndexBytes), path.native()))
        model.files.push_back(find(path.parent_path() / part));
      return;
    }
    const std::vector<std::string> parts = gguf_parts(file.path);
    if (parts.size() > 1) {
      for (const std::string& part : parts) model.files.push_back(find(path.parent_path() / part));
      return;
    }
    const std::uint64_t size = *file.size;
    pin(wanted_, file);
    if (!file.size) file.size = size;
    model.files.push_back(std::move(file));
  }

 private:
  Error refused(Kind kind, const fs::path& path, const std::string& why) const {
    return std::move(
        Error(kind, fmt::format("the model {}: \"{}\" {}", wanted_.name, core::escaped(path.native()), why))
            .at(wanted_.source_mark));
  }

  ModelFile find(const fs::path& path) const {
    std::error_code error;
    const fs::path file = fs::canonical(path, error);
    if (places_.host_files == HostFiles::kRefuse) check_place(path, file, error);
    if (error) throw refused(Kind::kRecipe, path, error.message());
    if (!fs::is_regular_file(file, error)) throw refused(Kind::kRecipe, path, "is not a regular file");
    return {.path = path.filename().native(), .urls = {file_url(file)}, .size = fs::file_size(file)};
  }

  /// Says nothing of a file elsewhere, also not whether there is one.
  void check_place(const fs::path& path, const fs::path& file, const std::error_code& error) const {
    if (fs::path(wanted_.source.location).is_absolute())
      throw std::move(refused(Kind::kUnsafe, path, "is not below the recipe's folder")
                          .hint("--allow-host-files lets this recipe name files of this machine"));
    if (!error && !recipe::is_beneath(file, places_.folder))
      throw refused(Kind::kUnsafe, path, "leads out of the recipe's folder by a symbolic link");
  }

  const recipe::Model& wanted_;
  const Places& places_;
};

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
      LocalFiles(wanted, places).resolve(model);
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
