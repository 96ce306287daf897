#include "builder/models/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "builder/models/shards.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Json;
using core::Kind;

std::string usual_folder(const std::string& home) {
  return "var/lib/" + home + "/models";
}

/// The recipe's folder without the slash in front, or the usual one.
std::string folder(const recipe::Model& wanted, const std::string& usual) {
  return wanted.path.empty() ? usual : wanted.path.substr(1);
}

Placed blob(std::string path, const ModelFile& file) {
  return {Placed::Kind::kBlob, std::move(path), *file.sha256, *file.size};
}

Placed text(std::string path, std::string content) {
  return {.kind = Placed::Kind::kText, .path = std::move(path), .text = std::move(content)};
}

Placed link(std::string path, std::string target) {
  return {.kind = Placed::Kind::kLink, .path = std::move(path), .text = std::move(target)};
}

std::vector<Placed> place_plain(const Model& model, const recipe::Model& wanted, const std::string& home) {
  std::vector<Placed> out;
  const std::string own = usual_folder(home) + "/" + model.name;
  const std::string target = folder(wanted, own + "/" + model.version);
  for (const ModelFile& file : model.files) out.push_back(blob(target + "/" + file.path, file));
  if (wanted.path.empty()) out.push_back(link(own + "/current", model.version));
  return out;
}

/// huggingface_hub's cache: models--org--repo with blobs by their ETag (sha256 of large files, git's name of
/// small ones), snapshots/<commit> full of links to them, and refs that name commits.
std::vector<Placed> place_hugging_face(const Model& model, const recipe::Model& wanted,
                                       const std::string& home) {
  std::string name = model.source.location;
  name.replace(name.find('/'), 1, "--");
  const std::string base = folder(wanted, usual_folder(home) + "/huggingface") + "/models--" + name;
  std::vector<Placed> out;
  for (const ModelFile& file : model.files) {
    const std::string etag = file.git_blob.empty() ? file.sha256->hex() : file.git_blob;
    out.push_back(blob(base + "/blobs/" + etag, file));
    std::string up = "../../";
    for (const char c : file.path) up += c == '/' ? "../" : "";
    out.push_back(link(base + "/snapshots/" + model.revision + "/" + file.path, up + "blobs/" + etag));
  }
  if (model.source.reference != model.revision)
    out.push_back(text(base + "/refs/" + model.source.reference, model.revision));
  return out;
}

Json descriptor(const std::string& type, const core::Digest& digest, std::uint64_t size) {
  return {{"mediaType", type}, {"digest", digest.to_string()}, {"size", size}};
}

std::string ollama_blob(const std::string& base, const core::Digest& digest) {
  return base + "/blobs/sha256-" + digest.hex();
}

/// "1.1B" as Ollama shows sizes.
std::string parameter_text(std::uint64_t parameters) {
  if (parameters >= 1'000'000'000) return fmt::format("{:.1f}B", static_cast<double>(parameters) / 1e9);
  if (parameters >= 1'000'000) return fmt::format("{:.0f}M", static_cast<double>(parameters) / 1e6);
  return fmt::format("{:.0f}K", static_cast<double>(parameters) / 1e3);
}

/// A GGUF file from elsewhere, with the configuration and manifest that Ollama itself makes of one.
std::vector<Placed> adopt_for_ollama(const Model& model, const recipe::Model& wanted,
                                     const std::string& base) {
  if (model.files.size() != 1 || model.summary.format != Format::kGguf) {
    throw Error(Kind::kRecipe,
                fmt::format("the layout ollama needs one GGUF file or a source that begins with "
                            "ollama://, which the model {} is not",
                            model.name))
        .at(wanted.mark);
  }
  const ModelFile& file = model.files.front();
  const std::string& family = model.summary.architecture;
  const Json config{{"model_format", "gguf"},
                    {"model_family", family},
                    {"model_families", {family}},
                    {"model_type", parameter_text(model.summary.parameters.value_or(0))},
                    {"file_type", model.summary.quantization},
                    {"architecture", "amd64"},
                    {"os", "linux"},
                    {"rootfs", {{"type", "layers"}, {"diff_ids", {file.sha256->to_string()}}}}};
  const std::string config_text = config.dump();
  const core::Digest config_digest = core::digest_of(core::HashAlgorithm::kSha256, config_text);
  const Json manifest{
      {"schemaVersion", 2},
      {"mediaType", "application/vnd.docker.distribution.manifest.v2+json"},
      {"config",
       descriptor("application/vnd.docker.container.image.v1+json", config_digest, config_text.size())},
      {"layers", Json::array({descriptor("application/vnd.ollama.image.model", *file.sha256, *file.size)})}};
  return {blob(ollama_blob(base, *file.sha256), file), text(ollama_blob(base, config_digest), config_text),
          text(base + "/manifests/registry.ollama.ai/library/" + model.name + "/latest", manifest.dump())};
}

std::vector<Placed> place_ollama(const Model& model, const recipe::Model& wanted, const std::string& home) {
  const std::string base = folder(wanted, usual_folder(home) + "/ollama");
  if (model.source.kind != recipe::SourceKind::kOllama) return adopt_for_ollama(model, wanted, base);
  std::vector<Placed> out;
  for (const ModelFile& file : model.files) {
    const std::string path = file.role == "manifest"
                                 ? fmt::format("{}/manifests/{}/{}/{}", base, model.source.host,
                                               model.source.location, model.source.reference)
                                 : ollama_blob(base, *file.sha256);
    out.push_back(blob(path, file));
  }
  return out;
}

}  // namespace

std::vector<Placed> place(const Model& model, const recipe::Model& wanted, const std::string& home) {
  switch (wanted.layout) {
    case recipe::ModelLayout::kHuggingFace:
      return place_hugging_face(model, wanted, home);
    case recipe::ModelLayout::kOllama:
      return place_ollama(model, wanted, home);
    case recipe::ModelLayout::kPlain:
      break;
  }
  return place_plain(model, wanted, home);
}

std::vector<Placed> merged(std::vector<Placed> all) {
  std::stable_sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) { return a.path < b.path; });
  const auto clash = [](const std::string& path) {
    return Error(Kind::kRecipe,
                 fmt::format("two models want to put different files at /{}", core::escaped(path)))
        .hint("give one of them a path of its own");
  };
  std::vector<Placed> out;
  for (Placed& one : all) {
    if (!is_clean_path(one.path)) throw Error(Kind::kUnsafe, "a model leads to /" + core::escaped(one.path));
    if (!out.empty() && out.back() == one) continue;
    if (!out.empty() && out.back().path == one.path) throw clash(one.path);
    out.push_back(std::move(one));
  }
  std::map<std::string, bool> paths;
  for (const Placed& one : out) paths.emplace(one.path, true);
  for (const Placed& one : out) {
    for (auto slash = one.path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = one.path.rfind('/', slash - 1)) {
      if (paths.contains(one.path.substr(0, slash))) throw clash(one.path.substr(0, slash));
    }
  }
  return out;
}

std::string first_boot_rows(const std::vector<Model>& models) {
  std::string out = "# name, version, file, size, sha256, URLs\n";
  for (const Model& model : models) {
    for (const ModelFile& file : model.files) {
      if (file.path.find_first_of(" \"") != std::string::npos)
        throw Error(Kind::kRecipe,
                    fmt::format("the model {}: a first start fetches no file with blanks or quotes "
                                "in its name: \"{}\"",
                                model.name, core::escaped(file.path, 100)))
            .hint("take it while the image is built: when: build");
      out += fmt::format("{}\t{}\t{}\t{}\t{}\t{}\n", model.name, model.version, file.path, *file.size,
                         file.sha256->hex(), file.urls.empty() ? "-" : core::join(file.urls, " "));
    }
  }
  return out;
}

}  // namespace imgforge::models
