#include <fmt/format.h>

#include <algorithm>

#include "builder/recipe/document/document.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/recipe/typing.hpp"
#include "builder/recipe/values/model.hpp"
#include "builder/recipe/values/types.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

std::string text_or_empty(const Node& record, std::string_view key) {
  const Node* value = record.find(key);
  return value == nullptr ? std::string() : value->text();
}

bool is_one_file(const Model& model) {
  const SourceKind kind = model.source.kind;
  return (kind == SourceKind::kUrl || kind == SourceKind::kFile) &&
         !model.source.location.ends_with(".index.json");
}

core::Error refused(const Node& item, std::string_view key, std::string message) {
  const Node* node = item.find(key);
  return recipe_error(node == nullptr ? *item.find("name") : *node, std::move(message));
}

void check_layout(const Node& item, const Model& model) {
  if (model.layout == ModelLayout::kHuggingFace && model.source.kind != SourceKind::kHuggingFace) {
    throw refused(item, "layout", "the layout huggingface needs a source that begins with hf://");
  }
  if (model.when == ModelTime::kBuild) return;
  if (model.layout != ModelLayout::kPlain)
    throw refused(item, "layout", "models of the first start have the layout plain");
  if (!model.path.empty())
    throw refused(item, "path", "models of the first start have their usual folder, not a path of their own");
  if (model.source.kind == SourceKind::kFile)
    throw refused(item, "source",
                  "the machine that starts cannot read this file: a model of the first start needs a "
                  "URL, hf:// or ollama://");
  if (model.source.kind == SourceKind::kOci)
    throw refused(item, "source",
                  "registries ask for a token, which the first start cannot get: use a URL or hf://")
        .hint("or take the model while the image is built: when: build");
  const bool has_query = std::any_of(model.mirrors.begin(), model.mirrors.end(),
                                     [](const ModelSource& mirror) { return !mirror.query.empty(); });
  if (!model.source.query.empty() || has_query)
    throw refused(
        item, "source",
        "the list of a first start can be read by all who have the image: a URL in it must have no query");
  if (is_one_file(model) && (!model.size || !model.sha256))
    throw refused(item, "source",
                  "a model of the first start needs sha256 and size: nothing else could check it")
        .hint("imgforge model add NAME URL fetches it and prints both");
}

Model read_model(const Node& item) {
  const auto at = [&](std::string_view key) -> const Node& { return *item.find(key); };
  Model model;
  model.name = at("name").text();
  model.mark = at("name").mark();
  model.source = parse_model_source(at("source").text());
  model.source_mark = at("source").mark();
  for (const Node& mirror : items_of(item, "mirrors")) {
    model.mirrors.push_back(parse_model_source(mirror.text()));
    if (model.mirrors.back().kind != SourceKind::kUrl && !mirror.text().starts_with("file://"))
      throw recipe_error(mirror, "a mirror is a URL that begins with https://, http:// or file:///");
  }
  if (!model.mirrors.empty() && (model.source.kind != SourceKind::kUrl || !is_one_file(model)))
    throw refused(item, "mirrors", "mirrors are further URLs of one file, so the source must be a URL");
  model.version = text_or_empty(item, "version");
  if (const Node* sha256 = item.find("sha256"))
    model.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, sha256->text());
  if (const Node* size = item.find("size")) model.size = read_size(*size);
  model.format = text_or_empty(item, "format");
  model.licence = text_or_empty(item, "licence");
  model.path = text_or_empty(item, "path");
  model.when = at("when").text() == "first-boot" ? ModelTime::kFirstBoot : ModelTime::kBuild;
  const std::string& layout = at("layout").text();
  model.layout = layout == "huggingface" ? ModelLayout::kHuggingFace
                 : layout == "ollama"    ? ModelLayout::kOllama
                                         : ModelLayout::kPlain;
  model.quantization = text_or_empty(item, "quantization");
  model.parameters = text_or_empty(item, "parameters");
  if (const Node* metadata = item.find("metadata")) {
    for (const Entry& entry : metadata->entries())
      model.metadata.emplace(entry.key.text(), entry.value.text());
  }
  model.allow_pickle = texts(item, "allow_pickle");
  check_layout(item, model);
  return model;
}

}  // namespace

std::string_view layout_word(ModelLayout layout) {
  switch (layout) {
    case ModelLayout::kHuggingFace:
      return "huggingface";
    case ModelLayout::kOllama:
      return "ollama";
    case ModelLayout::kPlain:
      break;
  }
  return "plain";
}

std::string_view time_word(ModelTime time) {
  return time == ModelTime::kFirstBoot ? "first-boot" : "build";
}

std::vector<Model> read_models(const Node& top) {
  std::vector<Model> models;
  if (const Node* list = top.find("models")) {
    for (const Node& item : list->items()) models.push_back(read_model(item));
  }
  return models;
}

void check_models(const ResolvedRecipe& recipe) {
  if (recipe.models.empty()) return;
  const Model& first = recipe.models.front();
  if (recipe.iso_base() != nullptr) {
    throw core::Error(core::Kind::kRecipe,
                      fmt::format("models cannot be used with the base {}", recipe.iso_base()->flavor))
        .at(first.mark)
        .hint("build on base.alpine.flavor: minirootfs");
  }
  for (const Model& model : recipe.models) {
    if (model.when == ModelTime::kBuild && model.size && model.size->value > recipe.disk.size.value) {
      throw core::Error(core::Kind::kRecipe,
                        fmt::format("the model {} has {}, the disk of the image {}", model.name,
                                    model.size->human(), recipe.disk.size.to_string()))
          .at(model.mark)
          .hint("raise disk.size");
    }
  }
}

}  // namespace imgforge::recipe
