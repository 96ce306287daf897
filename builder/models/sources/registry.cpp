// Models in registries of the OCI distribution specification: a manifest names layers by sha256. Both the
// artifacts that ORAS and others push, and Ollama's library, whose manifests have types of their own.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/fetch/http/url.hpp"
#include "builder/models/shards.hpp"
#include "builder/models/sources/model_sources.hpp"
#include "builder/models/sources/registry_http.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::uint64_t kMaxManifest = 4u << 20;
constexpr std::size_t kMaxLayers = 1000;
constexpr const char* kAccept =
    "Accept: application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::string text_at(const Json& json, const char* key) {
  return json.is_object() && json.contains(key) && json.at(key).is_string() ? json.at(key).get<std::string>()
                                                                            : "";
}

std::string annotation(const Json& layer, const char* key) {
  return layer.contains("annotations") ? text_at(layer.at("annotations"), key) : "";
}

/// Ollama's kinds of layer ("application/vnd.ollama.image.model"), and the file names that this program gives
/// them.
struct Kinds {
  std::string_view type;
  std::string_view role;
  std::string_view name;
};
constexpr Kinds kOllamaKinds[] = {
    {"model", "model", "model.gguf"},       {"projector", "projector", "projector.gguf"},
    {"adapter", "adapter", "adapter.gguf"}, {"license", "license", "LICENSE"},
    {"template", "template", "template"},   {"system", "system", "system"},
    {"params", "params", "params.json"},    {"messages", "messages", "messages.json"}};

/// What other kinds of layer say of themselves in their media types (Docker's `application/vnd.docker.ai.`,
/// CNCF ModelPack's `application/vnd.cncf.model.`, what ORAS pushes); the first that is found. Without a name
/// of its own a file gets this one.
constexpr Kinds kKinds[] = {{"license", "license", "LICENSE"},
                            {"gguf.v3.lora", "adapter", "adapter.gguf"},
                            {"gguf.v3.mmproj", "projector", "projector.gguf"},
                            {"mmproj", "projector", "projector.gguf"},
                            {"chat.template", "template", "chat_template.jinja"},
                            {"weight.config", "config", ""},
                            {"model.doc", "doc", ""},
                            {"model.code", "code", ""},
                            {"model.dataset", "dataset", ""},
                            {"gguf", "model", "model.gguf"},
                            {"safetensors", "model", "model.safetensors"}};

class Registry {
 public:
  Registry(const fetch::Context& context, const recipe::Model& wanted)
      : context_(context),
        wanted_(wanted),
        base_(fmt::format("{}/v2/{}", registry_url(wanted.source.host), wanted.source.location)) {}

  void resolve(Model& model) {
    const std::string text = manifest();
    const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, text);
    model.revision = digest.to_string();
    if (wanted_.source.reference.starts_with("sha256:") && model.revision != wanted_.source.reference)
      throw refused(
          fmt::format("the manifest has {}, its name says {}", model.revision, wanted_.source.reference));
    const Json json =
        core::parse_json(text, "manifest of " + wanted_.source.text, {.bytes = kMaxManifest, .depth = 16});
    try {
      read(json, model);
    } catch (const Json::exception& error) {
      throw refused(core::escaped(error.what(), 160));
    }
    ModelFile file{
        .path = "manifest.json", .urls = {base_ + "/manifests/" + model.revision}, .sha256 = digest};
    file.size = text.size();
    file.role = "manifest";
    file.by = "the registry";
    context_.blobs.put(text);
    if (wanted_.source.kind == recipe::SourceKind::kOllama) model.files.push_back(std::move(file));
  }

 private:
  Error refused(const std::string& why) const {
    Error error(Kind::kIntegrity, "manifest of " + wanted_.source.text + ": " + why);
    error.at(wanted_.source_mark);
    return error;
  }

  std::string manifest() {
    if (context_.network == fetch::Network::kOffline)
      throw Error(Kind::kFetch, wanted_.source.text + ": offline: its manifest was never fetched")
          .hint("run once without --offline");
    RegistryHttp http(context_.http, registry_url(wanted_.source.host) + "/v2/");
    fetch::TextSink sink;
    try {
      http.fetch({.url = base_ + "/manifests/" + wanted_.source.reference,
                  .limit = kMaxManifest,
                  .headers = {kAccept}},
                 sink);
    } catch (Error& error) {
      error.at(wanted_.source_mark);
      throw;
    }
    return sink.text();
  }

  void read(const Json& json, Model& model) {
    if (!json.is_object() || !json.contains("layers"))
      throw refused(json.contains("manifests") ? "it is an index of several images, not a model"
                                               : "it has no layers");
    if (json.at("layers").size() > kMaxLayers) throw refused("it has too many layers");
    const bool ollama = wanted_.source.kind == recipe::SourceKind::kOllama;
    std::vector<ModelFile> files;
    std::string left_out;
    for (const Json& layer : json.at("layers")) {
      ModelFile file = read_blob(layer);
      name(file, layer);
      const std::string type = text_at(layer, "mediaType");
      if (type.find(".tar") != std::string::npos || type.ends_with("+gzip")) {
        left_out = file.path;
      } else {
        files.push_back(std::move(file));
      }
    }
    const bool has_weights =
        std::any_of(files.begin(), files.end(), [](const ModelFile& file) { return file.role == "model"; });
    if (!left_out.empty() && !has_weights)
      throw refused("the layer " + core::escaped(left_out, 80) +
                    " is a tar archive; only plain files are read");
    if (!left_out.empty())
      context_.progress.warn(fmt::format("the model {}: the archive {} beside its weights is left out",
                                         wanted_.name, core::escaped(left_out, 80)));
    number(files);
    std::set<std::string> paths;
    for (ModelFile& file : files) {
      if (!is_clean_path(file.path))
        throw refused("a layer has the name \"" + core::escaped(file.path, 80) + "\"");
      if (!paths.insert(file.path).second) file.path += "." + file.sha256->hex().substr(0, 12);
      model.files.push_back(std::move(file));
    }
    if (model.files.empty()) throw refused("it has no layers");
    if (ollama) {
      ModelFile config = read_blob(json.at("config"));
      config.path = "config.json";
      config.role = "config";
      model.files.push_back(std::move(config));
    }
    if (model.licence.empty())
      model.licence = core::escaped(annotation(json, "org.opencontainers.image.licenses"), 80);
  }

  ModelFile read_blob(const Json& descriptor) const {
    ModelFile file;
    const std::string digest = descriptor.at("digest").get<std::string>();
    const core::Digest parsed = core::Digest::parse(digest);
    if (parsed.algorithm() != core::HashAlgorithm::kSha256 || parsed.to_string() != digest)
      throw refused("a digest is no sha256 in lower case: " + core::escaped(digest, 100));
    file.sha256 = parsed;
    file.size = descriptor.at("size").get<std::uint64_t>();
    file.media_type = text_at(descriptor, "mediaType");
    file.urls = {base_ + "/blobs/" + digest};
    file.by = "the manifest";
    return file;
  }

  static void name(ModelFile& file, const Json& layer) {
    constexpr std::string_view ollama = "application/vnd.ollama.image.";
    if (file.media_type.starts_with(ollama)) {
      const std::string type = file.media_type.substr(ollama.size());
      file.role = type;
      file.path = type;
      for (const Kinds& kind : kOllamaKinds) {
        if (kind.type != type) continue;
        file.role = kind.role;
        file.path = kind.name;
      }
      return;
    }
    for (const char* key : {"org.opencontainers.image.title", "org.cncf.model.filepath"}) {
      if (file.path.empty()) file.path = annotation(layer, key);
    }
    const bool has_name = !file.path.empty();
    for (const Kinds& kind : kKinds) {
      if (file.media_type.find(kind.type) == std::string::npos) continue;
      file.role = kind.role;
      if (!has_name) file.path = kind.name;
      break;
    }
    if (file.path.empty()) file.path = file.sha256->hex().substr(0, 12);
  }

  /// Weights in several layers without names are the parts of one set, in their order.
  static void number(std::vector<ModelFile>& files) {
    for (const std::string_view name : {"model.gguf", "model.safetensors"}) {
      const auto is_one = [&](const ModelFile& file) { return file.path == name; };
      const auto all = std::count_if(files.begin(), files.end(), is_one);
      const auto dot = name.find('.');
      int part = 0;
      for (ModelFile& file : files) {
        if (all > 1 && is_one(file))
          file.path = fmt::format("model-{:05}-of-{:05}{}", ++part, all, name.substr(dot));
      }
    }
  }

  const fetch::Context& context_;
  const recipe::Model& wanted_;
  std::string base_;
};

}  // namespace

void resolve_registry(const fetch::Context& context, const recipe::Model& wanted, Model& model) {
  Registry(context, wanted).resolve(model);
}

}  // namespace imgforge::models
