#include "builder/models/sources/obtain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/models/files/content.hpp"
#include "builder/models/shards.hpp"
#include "builder/models/sources/registry_http.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 41;
constexpr std::uint64_t kLargestUnpinned = 64u << 20;  // files that only git's name promises
constexpr std::size_t kVersionDigits = 12;

/// Names that cannot lead to something else tomorrow.
bool is_fixed(const recipe::ModelSource& source) {
  const std::string& reference = source.reference;
  if (source.kind == recipe::SourceKind::kHuggingFace)
    return reference.size() == 40 && reference.find_first_not_of("0123456789abcdef") == std::string::npos;
  return reference.starts_with("sha256:");
}

const ModelFile* only_weights(const Model& model) {
  const ModelFile* found = nullptr;
  for (const ModelFile& file : model.files) {
    if (file.role != "model") continue;
    if (found != nullptr) return nullptr;
    found = &file;
  }
  return found;
}

bool all_digests(const Model& model) {
  return std::all_of(model.files.begin(), model.files.end(),
                     [](const ModelFile& file) { return file.sha256; });
}

/// The recipe's digest is that of all files, or of the one that holds the weights.
bool matches(const Model& model, const core::Digest& pin) {
  if (!all_digests(model)) return false;
  const ModelFile* weights = only_weights(model);
  return model.digest() == pin || (weights != nullptr && weights->sha256 == pin);
}

bool is_promised(const Model& model) {
  return std::all_of(model.files.begin(), model.files.end(), [](const ModelFile& file) {
    return (file.sha256 && !file.by.empty()) || !file.git_blob.empty();
  });
}

/// git names a file by the sha1 of "blob <size>\0" and its bytes.
void check_git_blob(const fs::path& file, const std::string& expected) {
  core::Hasher hasher(core::HashAlgorithm::kSha1);
  const core::Fd fd = core::open_regular(file);
  const std::uint64_t size = core::file_size(fd.get(), file.native());
  hasher.update(fmt::format("blob {}", size) + std::string(1, '\0'));
  core::read_whole(fd.get(), file.native(), [&](std::span<const std::byte> data) { hasher.update(data); });
  const std::string actual = hasher.finish().hex();
  if (actual != expected)
    throw Error(Kind::kIntegrity, fmt::format("git's name of it is {}, the hub says {}", actual, expected));
}

Code code_policy(const recipe::Model& wanted, const ModelFile& file) {
  const auto& names = wanted.allow_pickle;
  return std::find(names.begin(), names.end(), name_of(file.path)) == names.end() ? Code::kRefuse
                                                                                  : Code::kAllow;
}

bool holds_weights(const ModelFile& file) {
  return file.role == "model" || file.role == "adapter" || file.role == "projector";
}

void fill(std::string& text, const std::string& from) {
  if (text.empty()) text = from;
}

void merge(Summary& all, const Summary& one) {
  if (all.format == Format::kRaw) all.format = one.format;
  all.size += one.size;
  fill(all.format_version, one.format_version);
  fill(all.name, one.name);
  fill(all.architecture, one.architecture);
  fill(all.tokenizer, one.tokenizer);
  fill(all.licence, one.licence);
  fill(all.quantization, one.quantization);
  fill(all.chat_template_sha256, one.chat_template_sha256);
  if (!all.context_length) all.context_length = one.context_length;
  if (one.parameters) all.parameters = all.parameters.value_or(0) + *one.parameters;
  all.tensors += one.tensors;
  for (const TensorType& type : one.types) {
    const auto row = std::find_if(all.types.begin(), all.types.end(),
                                  [&](const TensorType& known) { return known.name == type.name; });
    if (row == all.types.end()) {
      all.types.push_back(type);
    } else {
      row->tensors += type.tensors;
      row->elements += type.elements;
      row->bytes += type.bytes;
    }
  }
  for (const auto& [key, value] : one.notes) {
    if (key != "shard") all.notes.emplace(key, value);
  }
  for (const std::string& warning : one.warnings) {
    if (std::find(all.warnings.begin(), all.warnings.end(), warning) == all.warnings.end())
      all.warnings.push_back(warning);
  }
}

/// What the configuration beside the weights says and their headers do not. Anything odd in it is passed
/// over.
void read_configuration(Summary& summary, const fs::path& file) {
  constexpr std::uint64_t limit = 1 << 20;
  try {
    const core::Json json =
        core::parse_json(core::read_text_file(file, limit), "config.json", {.bytes = limit, .depth = 32});
    if (!json.is_object()) return;
    if (json.contains("model_type") && json.at("model_type").is_string())
      fill(summary.architecture, json.at("model_type").get<std::string>());
    if (!summary.context_length && json.contains("max_position_embeddings") &&
        json.at("max_position_embeddings").is_number_unsigned())
      summary.context_length = json.at("max_position_embeddings").get<std::uint64_t>();
  } catch (const Error& error) {
    if (error.kind() != Kind::kIntegrity && error.kind() != Kind::kUnsafe) throw;
  }
}

}  // namespace

Obtainer::Obtainer(const fetch::Context& context, Places places)
    : context_(context), places_(std::move(places)), records_(context.cache / "models") {}

std::optional<Model> Obtainer::known(const recipe::Model& wanted) const {
  std::optional<Model> model;
  try {
    model = records_.find(wanted.name);
  } catch (const Error& error) {
    if (error.kind() != Kind::kIntegrity) throw;  // a damaged record is written anew
  }
  if (!model || model->source.text != wanted.source.text || !all_digests(*model)) return std::nullopt;
  if (wanted.sha256 ? !matches(*model, *wanted.sha256)
                    : !is_fixed(wanted.source) && context_.network == fetch::Network::kOnline)
    return std::nullopt;
  for (ModelFile& file : model->files) file.by = "the record of the model";
  if (!wanted.licence.empty()) model->licence = wanted.licence;
  model->version = wanted.version;
  return model;
}

Model Obtainer::resolve(const recipe::Model& wanted) {
  Model model;
  if (std::optional<Model> found = known(wanted)) {
    model = *std::move(found);
  } else {
    model = core::while_doing("looking for the model " + wanted.name,
                              [&] { return resolve_source(context_, wanted, places_); });
  }
  const bool sizes =
      std::all_of(model.files.begin(), model.files.end(), [](const ModelFile& file) { return file.size; });
  const ModelFile* weights = only_weights(model);
  if (wanted.size && sizes && model.size() != wanted.size->value &&
      (weights == nullptr || *weights->size != wanted.size->value)) {
    throw Error(Kind::kIntegrity, fmt::format("the model {} has {} bytes, the recipe says {}", model.name,
                                              model.size(), wanted.size->value))
        .at(wanted.mark);
  }
  return model;
}

void Obtainer::download(Model& model, const recipe::Model& wanted, bool all) {
  RegistryHttp registry(context_.http, registry_url(wanted.source.host) + "/v2/");
  const bool is_registry =
      wanted.source.kind == recipe::SourceKind::kOci || wanted.source.kind == recipe::SourceKind::kOllama;
  const fetch::Context context{
      is_registry ? static_cast<fetch::Http&>(registry) : context_.http, context_.blobs, context_.progress,
      context_.cancel, context_.cache, context_.jobs,
      // A file of this machine is no network.
      wanted.source.kind == recipe::SourceKind::kFile ? fetch::Network::kOnline : context_.network,
      context_.activity, context_.report, context_.connections, context_.spread_from};
  std::vector<fetch::Download> downloads;
  std::vector<ModelFile*> files;
  for (ModelFile& file : model.files) {
    if (!all && file.sha256) continue;
    fetch::Download download;
    download.name = fmt::format("{} of the model {}", file.path, model.name);
    download.urls = file.urls;
    for (std::string& url : download.urls) url = wanted.with_query(url);
    if (file.sha256) download.promises.push_back({*file.sha256, file.by.empty() ? "its index" : file.by});
    download.size = file.size;
    download.limit = file.size.value_or(kLargestFile);
    if (!file.sha256 && !file.git_blob.empty()) {
      download.limit = std::min(download.limit, kLargestUnpinned);
      download.known_as = "git-" + file.git_blob;
      download.verify = [blob = file.git_blob](const fs::path& path) { check_git_blob(path, blob); };
    }
    downloads.push_back(std::move(download));
    files.push_back(&file);
  }
  const std::vector<artifacts::VerifiedFile> blobs = downloads.empty()
                                                         ? std::vector<artifacts::VerifiedFile>()
                                                         : fetch::Downloader(context).fetch_all(downloads);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    files[i]->sha256 = blobs[i].digest();
    files[i]->size = blobs[i].size();
  }
}

Summary summarise(const Model& model, artifacts::BlobStore& blobs, const recipe::Model& wanted) {
  const std::optional<Format> format = find_format(wanted.format);
  const bool single = only_weights(model) != nullptr;
  Summary all;
  std::vector<std::string> shards;
  bool first = true;
  for (const ModelFile& file : model.files) {
    if (!holds_weights(file)) continue;
    const auto blob = blobs.find_again(*file.sha256);
    if (!blob) throw Error(Kind::kIo, "the cache has no " + file.path + " of the model " + model.name);
    const bool judged = file.role == "model" && (single || format == Format::kRaw);
    const Summary one = inspect_file(blob->path(), name_of(file.path), judged ? format : std::nullopt,
                                     code_policy(wanted, file));
    if (const auto shard = one.notes.find("shard"); shard != one.notes.end()) shards.push_back(shard->second);
    if (first) {
      all = one;
      all.notes.erase("shard");
    } else {
      merge(all, one);
    }
    first = false;
  }
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (shards[i] != fmt::format("{} of {}", i + 1, shards.size()))
      throw Error(Kind::kIntegrity, fmt::format("the model {} is not whole: file {} of {} says it is part {}",
                                                model.name, i + 1, shards.size(), shards[i]));
  }
  if (format && all.format != *format) {
    throw Error(Kind::kIntegrity, fmt::format("the model {} is {}, the recipe says {}", model.name,
                                              format_name(all.format), wanted.format))
        .at(wanted.mark);
  }
  for (const ModelFile& file : model.files) {
    if (file.role != "config" || name_of(file.path) != "config.json") continue;
    if (const auto blob = blobs.find_again(*file.sha256)) read_configuration(all, blob->path());
  }
  sort_types(all);
  return all;
}

void Obtainer::look_into(Model& model, const recipe::Model& wanted) {
  model.summary = core::while_doing("looking into the model " + model.name,
                                    [&] { return summarise(model, context_.blobs, wanted); });
  if (!wanted.quantization.empty()) model.summary.quantization = wanted.quantization;
  fill(model.licence, core::escaped(model.summary.licence, 80));
}

namespace {

/// The digest must be promised by somebody: the recipe, the source, or a lock.
void check_promise(const Model& model, const recipe::Model& wanted, bool promised, Unpinned unpinned) {
  if (wanted.sha256) {
    if (matches(model, *wanted.sha256)) return;
    throw Error(Kind::kIntegrity, fmt::format("the model {} has sha256 {}, the recipe says {}", model.name,
                                              model.digest().hex(), wanted.sha256->hex()))
        .at(wanted.mark);
  }
  if (promised || unpinned == Unpinned::kFirst) return;
  throw Error(Kind::kRecipe, fmt::format("the model {} has no sha256, and its source gives none", model.name))
      .at(wanted.mark)
      .hint(fmt::format("what came just now would be pinned by: sha256: {}", model.digest().hex()));
}

void name_version(Model& model, const recipe::Model& wanted) {
  model.version = wanted.version.empty() ? model.digest().hex().substr(0, kVersionDigits) : wanted.version;
}

/// Of a file of this machine all is known before a byte of it is copied.
void hash_in_place(Model& model, const recipe::Model& wanted) {
  if (wanted.source.kind != recipe::SourceKind::kFile) return;
  for (ModelFile& file : model.files) {
    if (file.sha256 || file.urls.empty()) continue;
    file.sha256 = core::digest_of_file(core::HashAlgorithm::kSha256, fetch::file_url_path(file.urls.front()));
  }
}

}  // namespace

Model Obtainer::fetch(const recipe::Model& wanted, Model resolved, Unpinned unpinned) {
  Model model = std::move(resolved);
  const bool promised = is_promised(model);
  hash_in_place(model, wanted);
  if (all_digests(model)) check_promise(model, wanted, promised, unpinned);
  download(model, wanted, true);
  check_promise(model, wanted, promised, unpinned);
  name_version(model, wanted);
  look_into(model, wanted);
  records_.store(model);
  return model;
}

Model Obtainer::describe(const recipe::Model& wanted, Model resolved) {
  Model model = std::move(resolved);
  const bool promised = is_promised(model);
  hash_in_place(model, wanted);
  download(model, wanted, false);
  check_promise(model, wanted, promised, Unpinned::kRefuse);
  name_version(model, wanted);
  return model;
}

}  // namespace imgforge::models
