#include "artifacts/manifest/manifest.hpp"

#include <limits>
#include <set>

#include "artifacts/manifest/manifest_json.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::HashAlgorithm;
using core::Json;
using core::Kind;

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxPackages = 10000;
constexpr const char* kFromBase = "base";
constexpr std::size_t kMaxModels = 1000;
constexpr std::size_t kMaxFiles = 200;
constexpr std::size_t kMaxRows = 200;
constexpr std::size_t kMaxFeatures = 100;
constexpr std::size_t kMaxSharedCommands = 1000;

Json to_json(const ManifestPackage& package) {
  Json row;
  row["name"] = package.name;
  row["version"] = package.version;
  row["arch"] = package.arch;
  if (!package.licence.empty()) row["licence"] = package.licence;
  if (!package.origin.empty()) row["origin"] = package.origin;
  if (package.from_base) {
    row["from"] = kFromBase;
    row["checksum"] = package.checksum;
    return row;
  }
  row["repository"] = package.repository;
  row["checksum"] = package.checksum;
  row["sha256"] = package.sha256.hex();
  row["size"] = package.size;
  return row;
}

Json to_json(const ManifestModel& model) {
  Json row;
  row["name"] = model.name;
  row["version"] = model.version;
  row["source"] = model.source;
  row["revision"] = model.revision;
  row["purl"] = model.purl;
  row["licence"] = model.licence;
  row["format"] = model.format;
  row["when"] = model.when;
  row["sha256"] = model.sha256.hex();
  row["size"] = model.size;
  row["metadata"] = Json::object();
  for (const auto& [key, value] : model.metadata) row["metadata"][key] = value;
  return row;
}

Json to_json(const ManifestArtifact& artifact) {
  Json row;
  row["file"] = artifact.file;
  row["format"] = artifact.format;
  row["size"] = artifact.size;
  row["virtual_size"] = artifact.virtual_size;
  row["sha256"] = artifact.sha256.hex();
  row["sha512"] = artifact.sha512.hex();
  row["media"] = Json::object();
  for (const auto& [key, value] : artifact.media) row["media"][key] = value;
  return row;
}

Json to_json(const ManifestDocument& document) {
  Json row;
  row["file"] = document.file;
  row["size"] = document.size;
  row["sha256"] = document.sha256.hex();
  row["sha512"] = document.sha512.hex();
  return row;
}

Json to_json(const ManifestDerivation& derivation) {
  Json row;
  row["release"] = derivation.release;
  row["operation"] = derivation.operation;
  row["artifacts"] = Json::array();
  for (const core::Digest& digest : derivation.artifacts) row["artifacts"].push_back(digest.hex());
  return row;
}

Json to_json(const ManifestBoot& boot) {
  Json row;
  row["artifact"] = boot.artifact;
  row["path"] = boot.path;
  row["accelerator"] = boot.accelerator;
  row["memory"] = boot.memory.value;
  row["cpus"] = boot.cpus;
  row["markers"] = Json::array();
  for (const auto& [marker, milliseconds] : boot.markers) {
    row["markers"].push_back(Json{{"marker", marker}, {"milliseconds", milliseconds}});
  }
  return row;
}

template <class Row>
Json list_of(const std::vector<Row>& rows) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(to_json(row));
  return list;
}

unsigned small(JsonObject& object, const char* member) {
  const std::uint64_t value = object.number(member);
  if (value > 4096) object.refuse(member, "is out of range");
  return static_cast<unsigned>(value);
}

ManifestBase read_base(JsonObject object) {
  ManifestBase base;
  base.kind = object.text("kind");
  base.release = object.text("release");
  base.url = object.text("url");
  base.sha256 = object.digest("sha256", HashAlgorithm::kSha256);
  base.size = object.number("size");
  object.finish();
  return base;
}

ManifestPackage read_package(JsonObject& row) {
  ManifestPackage package;
  package.name = row.text("name");
  package.version = row.text("version");
  package.arch = row.text("arch");
  package.checksum = row.text("checksum");
  const auto text_if_known = [&](const char* member) {
    std::string text = row.has(member) ? row.text(member) : std::string();
    if (row.has(member) && text.empty()) row.refuse(member, "is empty");
    return text;
  };
  package.licence = text_if_known("licence");
  package.origin = text_if_known("origin");
  package.from_base = row.has("from");
  if (package.from_base) {
    if (row.text("from") != kFromBase) row.refuse("from", std::string("is not \"") + kFromBase + "\"");
    return package;
  }
  package.repository = row.text("repository");
  package.sha256 = row.digest("sha256", HashAlgorithm::kSha256);
  package.size = row.number("size");
  return package;
}

std::map<std::string, std::string> read_texts(JsonObject& row, const char* member) {
  const JsonObject texts = row.object(member);
  if (texts.members().size() > kMaxRows) row.refuse(member, "has too many members");
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : texts.members().items()) {
    if (!value.is_string()) texts.refuse(key, "is not text");
    out.emplace(key, value.get<std::string>());
  }
  return out;
}

KernelFeatures read_features(JsonObject& kernel) {
  const JsonObject rows = kernel.object("features");
  if (rows.members().empty() || rows.members().size() > kMaxFeatures)
    kernel.refuse("features", "has no or too many members");
  KernelFeatures features;
  for (const auto& [name, value] : rows.members().items()) {
    if (!is_file_name(name) || !value.is_boolean()) rows.refuse(name, "is no feature with true or false");
    features.emplace(name, value.get<bool>());
  }
  return features;
}

ManifestModel read_model(JsonObject& row) {
  ManifestModel model;
  model.name = row.text("name");
  model.version = row.text("version");
  model.source = row.text("source");
  model.revision = row.text("revision");
  model.purl = row.text("purl");
  model.licence = row.text("licence");
  model.format = row.text("format");
  model.when = row.text("when");
  model.sha256 = row.digest("sha256", HashAlgorithm::kSha256);
  model.size = row.number("size");
  model.metadata = read_texts(row, "metadata");
  return model;
}

ManifestArtifact read_artifact(JsonObject& row) {
  ManifestArtifact artifact;
  artifact.file = row.text("file");
  artifact.format = row.text("format");
  artifact.size = row.number("size");
  artifact.virtual_size = row.number("virtual_size");
  artifact.sha256 = row.digest("sha256", HashAlgorithm::kSha256);
  artifact.sha512 = row.digest("sha512", HashAlgorithm::kSha512);
  artifact.media = read_texts(row, "media");
  return artifact;
}

ManifestDocument read_document(JsonObject& row) {
  ManifestDocument document;
  document.file = row.text("file");
  document.size = row.number("size");
  document.sha256 = row.digest("sha256", HashAlgorithm::kSha256);
  document.sha512 = row.digest("sha512", HashAlgorithm::kSha512);
  return document;
}

ManifestDerivation read_derivation(JsonObject object) {
  ManifestDerivation derivation;
  derivation.release = object.text("release");
  const std::size_t at = derivation.release.find('@');
  if (at == std::string::npos || !is_file_name(derivation.release.substr(0, at)) ||
      !Version::parse(derivation.release.substr(at + 1))) {
    object.refuse("release", "does not name a release");
  }
  derivation.operation = object.text("operation");
  for (const std::string& hex : object.texts("artifacts", kMaxFiles)) {
    derivation.artifacts.push_back(core::Digest::from_hex(HashAlgorithm::kSha256, hex));
    if (derivation.artifacts.back().hex() != hex) object.refuse("artifacts", "is not lower-case hex");
  }
  if (derivation.artifacts.empty()) object.refuse("artifacts", "is empty");
  object.finish();
  return derivation;
}

ManifestBoot read_boot(JsonObject& row) {
  ManifestBoot boot;
  boot.artifact = row.text("artifact");
  boot.path = row.text("path");
  boot.accelerator = row.text("accelerator");
  boot.memory.value = row.number("memory");
  boot.cpus = small(row, "cpus");
  using Marker = std::pair<std::string, std::uint64_t>;
  boot.markers = row.rows<Marker>("markers", kMaxRows, [](JsonObject& marker) {
    std::string name = marker.text("marker");
    return Marker{std::move(name), marker.number("milliseconds")};
  });
  return boot;
}

Json to_json(const Manifest& manifest) {
  Json json;
  json["schema"] = kSchema;
  json["name"] = manifest.name;
  json["profile"] = manifest.profile;
  json["version"] = manifest.version;
  json["created"] = manifest.created;
  json["unsigned"] = manifest.is_unsigned;
  json["insecure"] = manifest.insecure;
  json["tool"] = {{"name", manifest.tool_name}, {"version", manifest.tool_version}};
  json["recipe"] = {{"sha256", manifest.recipe_sha256.hex()}};
  if (manifest.derived_from) json["derived_from"] = to_json(*manifest.derived_from);
  if (manifest.is_draft) json["draft"] = true;
  const ManifestBase& base = manifest.base;
  json["base"] = {{"kind", base.kind},
                  {"release", base.release},
                  {"url", base.url},
                  {"sha256", base.sha256.hex()},
                  {"size", base.size}};
  json["kernel"] = {{"release", manifest.kernel_release}, {"cmdline", manifest.kernel_cmdline}};
  if (!manifest.kernel_features.empty()) json["kernel"]["features"] = manifest.kernel_features;
  if (!manifest.kernel_sha256.empty()) {
    json["kernel"]["sha256"] = manifest.kernel_sha256.hex();
    json["kernel"]["initramfs_sha256"] = manifest.initramfs_sha256.hex();
  }
  json["requirements"] = {{"memory", manifest.required_memory.value}, {"cpus", manifest.required_cpus}};
  json["boot_expect"] = manifest.boot_expect;
  if (manifest.shared_commands) json["shared"] = {{"commands", *manifest.shared_commands}};
  if (!manifest.isolation.empty()) json["isolation"] = manifest.isolation;
  json["accelerator"] = {{"name", manifest.accelerator}, {"reason", manifest.accelerator_reason}};
  json["artifacts"] = list_of(manifest.artifacts);
  json["documents"] = list_of(manifest.documents);
  json["boots"] = list_of(manifest.boots);
  json["packages"] = list_of(manifest.packages);
  if (!manifest.models.empty()) json["models"] = list_of(manifest.models);
  return json;
}

void read_groups(JsonObject& root, Manifest& manifest) {
  JsonObject tool = root.object("tool");
  manifest.tool_name = tool.text("name");
  manifest.tool_version = tool.text("version");
  tool.finish();
  JsonObject recipe = root.object("recipe");
  manifest.recipe_sha256 = recipe.digest("sha256", HashAlgorithm::kSha256);
  recipe.finish();
  if (root.has("derived_from")) manifest.derived_from = read_derivation(root.object("derived_from"));
  if (root.has("draft")) manifest.is_draft = root.truth("draft");
  manifest.base = read_base(root.object("base"));
  JsonObject kernel = root.object("kernel");
  manifest.kernel_release = kernel.text("release");
  manifest.kernel_cmdline = kernel.text("cmdline");
  if (kernel.has("features")) manifest.kernel_features = read_features(kernel);
  if (kernel.has("sha256")) {
    manifest.kernel_sha256 = kernel.digest("sha256", HashAlgorithm::kSha256);
    manifest.initramfs_sha256 = kernel.digest("initramfs_sha256", HashAlgorithm::kSha256);
  }
  kernel.finish();
  JsonObject requirements = root.object("requirements");
  manifest.required_memory.value = requirements.number("memory");
  manifest.required_cpus = small(requirements, "cpus");
  requirements.finish();
  if (root.has("shared")) {
    JsonObject shared = root.object("shared");
    manifest.shared_commands = shared.texts("commands", kMaxSharedCommands);
    shared.finish();
  }
  if (root.has("isolation")) manifest.isolation = root.text("isolation");
  JsonObject accelerator = root.object("accelerator");
  manifest.accelerator = accelerator.text("name");
  manifest.accelerator_reason = accelerator.text("reason");
  accelerator.finish();
}

void check_schema(JsonObject& root) {
  const std::uint64_t schema = root.number("schema");
  if (schema > kSchema) {
    throw Error(Kind::kIntegrity,
                "manifest: schema " + std::to_string(schema) + " is newer than this imgforge")
        .hint("use a newer imgforge");
  }
  if (schema != kSchema) root.refuse("schema", "is not 1");
}

}  // namespace

void check_manifest_names(const Manifest& manifest) {
  const auto refuse = [](const std::string& what, const std::string& why) {
    return Error(Kind::kIntegrity, "manifest: " + core::escaped(what, 120) + " " + why);
  };
  if (!is_file_name(manifest.name)) throw refuse("name", "is not a possible name");
  if (!manifest.profile.empty() && !is_file_name(manifest.profile))
    throw refuse("profile", "is not a possible name");
  if (!Version::parse(manifest.version)) throw refuse("version", "is not a version");
  std::set<std::string> files{"manifest.json", "manifest.json.minisig", "SHA256SUMS", "SHA256SUMS.minisig"};
  const auto check_file = [&](const std::string& file) {
    if (!is_file_name(file)) throw refuse("file \"" + file + "\"", "is not a plain file name");
    if (!files.insert(file).second) throw refuse("file " + file, "is listed twice or reserved");
  };
  const std::string stem = manifest.stem();
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    check_file(artifact.file);
    const std::string_view suffix =
        std::string_view(artifact.file).substr(std::min(stem.size(), artifact.file.size()));
    if (!artifact.file.starts_with(stem) || (!suffix.starts_with('.') && !suffix.starts_with('-'))) {
      throw refuse("artifact " + artifact.file, "does not begin with " + stem);
    }
    // The link without version that stands beside it.
    if (!files.insert(manifest.line() + std::string(suffix)).second) {
      throw refuse("artifact " + artifact.file, "clashes with another file");
    }
  }
  for (const ManifestDocument& document : manifest.documents) check_file(document.file);
}

std::string print_manifest(const Manifest& manifest) {
  std::string text;
  try {
    text = core::print_json(to_json(manifest));
    if (parse_manifest(text) == manifest) return text;
  } catch (const Error& error) {
    throw Error(Kind::kInternal, "the manifest would not be readable: " + error.message());
  } catch (const Json::exception& error) {
    throw Error(Kind::kInternal,
                std::string("the manifest cannot be written: ") + core::escaped(error.what()));
  }
  throw Error(Kind::kInternal, "the manifest does not survive being written and read");
}

Manifest parse_manifest(std::string_view text) {
  const Json json = core::parse_json(text, "manifest", {.bytes = kMaxManifestBytes, .depth = 8});
  JsonObject root(json, "");
  check_schema(root);
  Manifest manifest;
  manifest.name = root.text("name");
  manifest.profile = root.text("profile");
  manifest.version = root.text("version");
  manifest.created = root.text("created");
  manifest.is_unsigned = root.truth("unsigned");
  manifest.insecure = root.texts("insecure", kMaxRows);
  manifest.boot_expect = root.texts("boot_expect", kMaxRows);
  read_groups(root, manifest);
  manifest.artifacts = root.rows<ManifestArtifact>("artifacts", kMaxFiles, read_artifact);
  manifest.documents = root.rows<ManifestDocument>("documents", kMaxFiles, read_document);
  manifest.boots = root.rows<ManifestBoot>("boots", kMaxRows, read_boot);
  manifest.packages = root.rows<ManifestPackage>("packages", kMaxPackages, read_package);
  if (root.has("models")) {
    manifest.models = root.rows<ManifestModel>("models", kMaxModels, read_model);
    if (manifest.models.empty()) root.refuse("models", "is empty");
  }
  root.finish();
  check_manifest_names(manifest);
  return manifest;
}

Manifest::Manifest() = default;
Manifest::Manifest(const Manifest&) = default;
Manifest::Manifest(Manifest&&) noexcept = default;
Manifest& Manifest::operator=(const Manifest&) = default;
Manifest& Manifest::operator=(Manifest&&) noexcept = default;
Manifest::~Manifest() = default;

bool Manifest::operator==(const Manifest&) const = default;

std::string Manifest::line() const {
  return profile.empty() ? name : name + "-" + profile;
}

std::string Manifest::stem() const {
  return line() + "-" + version;
}

SignedManifest::SignedManifest(Manifest manifest, std::string signer, core::Digest digest)
    : manifest_(std::move(manifest)), signer_(std::move(signer)), digest_(std::move(digest)) {}

}  // namespace imgforge::artifacts
