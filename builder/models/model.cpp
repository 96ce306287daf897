#include "builder/models/model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::size_t kMaxFiles = 10'000;
constexpr std::size_t kMaxPath = 512;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("._-~").find(c) != std::string_view::npos;
}

void add(Json& row, const char* key, const std::string& value) {
  if (!value.empty()) row[key] = value;
}

Summary summary_from(const Json& json) {
  Summary summary;
  if (const auto format = find_format(json.value("format", "raw"))) summary.format = *format;
  summary.size = json.value("size", std::uint64_t{0});
  summary.format_version = json.value("format_version", "");
  summary.name = json.value("name", "");
  summary.architecture = json.value("architecture", "");
  if (json.contains("parameters")) summary.parameters = json.at("parameters").get<std::uint64_t>();
  if (json.contains("context_length"))
    summary.context_length = json.at("context_length").get<std::uint64_t>();
  summary.quantization = json.value("quantization", "");
  summary.tokenizer = json.value("tokenizer", "");
  summary.licence = json.value("licence", "");
  summary.tensors = json.value("tensors", std::uint64_t{0});
  for (const Json& row : json.value("types", Json::array()))
    summary.types.push_back({row.at("name"), row.at("tensors"), row.at("elements"), row.at("bytes")});
  summary.chat_template_sha256 = json.value("chat_template_sha256", "");
  const Json notes = json.value("notes", Json::object());
  for (const auto& [key, value] : notes.items()) summary.notes.emplace(key, value.get<std::string>());
  for (const Json& warning : json.value("warnings", Json::array())) summary.warnings.push_back(warning);
  return summary;
}

ModelFile file_from(const Json& row) {
  ModelFile file;
  file.path = row.at("path");
  if (!is_clean_path(file.path)) throw Error(Kind::kIntegrity, "a path that leads elsewhere");
  for (const Json& url : row.at("urls")) file.urls.push_back(url);
  if (row.contains("sha256"))
    file.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, row.at("sha256").get<std::string>());
  file.git_blob = row.value("git_blob", "");
  if (row.contains("size")) file.size = row.at("size").get<std::uint64_t>();
  file.role = row.value("role", "model");
  file.media_type = row.value("media_type", "");
  return file;
}

}  // namespace

std::uint64_t Model::size() const {
  std::uint64_t sum = 0;
  for (const ModelFile& file : files) sum += file.size.value_or(0);
  return sum;
}

core::Digest Model::digest() const {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const ModelFile& file : files) {
    if (!file.sha256) throw Error(Kind::kInternal, "the file " + file.path + " has no digest yet");
    rows.emplace_back(file.path, file.sha256->hex());
  }
  if (rows.size() == 1) return *files.front().sha256;
  std::sort(rows.begin(), rows.end());
  std::string text;
  for (const auto& [path, hex] : rows) text += hex + "  " + path + "\n";
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

std::string Model::package_url() const {
  switch (source.kind) {
    case recipe::SourceKind::kHuggingFace:
      return fmt::format("pkg:huggingface/{}@{}", source.location, revision);
    case recipe::SourceKind::kOci:
    case recipe::SourceKind::kOllama: {
      const auto slash = source.location.rfind('/');
      const std::string last =
          slash == std::string::npos ? source.location : source.location.substr(slash + 1);
      std::string digest = revision;  // "sha256:<hex>"
      if (const auto colon = digest.find(':'); colon != std::string::npos) digest.replace(colon, 1, "%3A");
      return fmt::format("pkg:oci/{}@{}?repository_url={}/{}", last, digest, source.host, source.location);
    }
    case recipe::SourceKind::kUrl:
      return fmt::format("pkg:generic/{}?download_url={}&checksum=sha256:{}", name, source.location,
                         digest().hex());
    case recipe::SourceKind::kFile:
      break;
  }
  return {};
}

Json summary_json(const Summary& summary) {
  Json out{{"format", format_name(summary.format)}, {"size", summary.size}};
  add(out, "format_version", summary.format_version);
  add(out, "name", summary.name);
  add(out, "architecture", summary.architecture);
  if (summary.parameters) out["parameters"] = *summary.parameters;
  if (summary.context_length) out["context_length"] = *summary.context_length;
  add(out, "quantization", summary.quantization);
  add(out, "tokenizer", summary.tokenizer);
  add(out, "licence", summary.licence);
  out["tensors"] = summary.tensors;
  out["types"] = Json::array();
  for (const TensorType& type : summary.types) {
    out["types"].push_back(
        {{"name", type.name}, {"tensors", type.tensors}, {"elements", type.elements}, {"bytes", type.bytes}});
  }
  add(out, "chat_template_sha256", summary.chat_template_sha256);
  out["notes"] = Json::object();
  for (const auto& [key, value] : summary.notes) out["notes"][key] = value;
  out["warnings"] = summary.warnings;
  return out;
}

Json to_json(const Model& model) {
  Json out{{"schema", 1},
           {"name", model.name},
           {"version", model.version},
           {"source", model.source.text},
           {"revision", model.revision},
           {"licence", model.licence},
           {"files", Json::array()},
           {"summary", summary_json(model.summary)}};
  add(out, "renamed", model.renamed);
  for (const ModelFile& file : model.files) {
    Json row{{"path", file.path}, {"role", file.role}};
    if (file.sha256) row["sha256"] = file.sha256->hex();
    add(row, "git_blob", file.git_blob);
    if (file.size) row["size"] = *file.size;
    add(row, "media_type", file.media_type);
    row["urls"] = file.urls;
    out["files"].push_back(std::move(row));
  }
  return out;
}

Model model_from_json(const Json& json, std::string_view what) {
  const auto refused = [&](const std::string& why) {
    return Error(Kind::kIntegrity,
                 fmt::format("{} is no description of a model: {}", what, core::escaped(why, 160)));
  };
  try {
    if (json.at("schema") != 1) throw refused("its schema is not 1");
    Model model;
    model.name = json.at("name");
    model.version = json.at("version");
    model.source = recipe::parse_model_source(json.at("source").get<std::string>());
    model.revision = json.at("revision");
    model.licence = json.at("licence");
    model.renamed = json.value("renamed", std::string());
    if (json.at("files").size() > kMaxFiles) throw refused("it has too many files");
    for (const Json& row : json.at("files")) model.files.push_back(file_from(row));
    model.summary = summary_from(json.at("summary"));
    return model;
  } catch (const Json::exception& error) {
    throw refused(error.what());
  } catch (const Error& error) {
    throw refused(error.message());
  }
}

bool is_clean_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || !core::is_utf8(path)) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F || c == '\\') return false;
  }
  const std::vector<std::string> parts = core::split(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part == "." || part == ".." || part.size() > 255;
  });
}

std::string encoded_path(std::string_view path) {
  std::string out;
  for (const char c : path)
    out +=
        is_plain(c) || c == '/' ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

Model::Model() = default;
Model::Model(const Model&) = default;
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(const Model&) = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

}  // namespace imgforge::models
