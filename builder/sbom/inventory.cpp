#include "builder/sbom/inventory.hpp"

#include <charconv>
#include <map>

#include "builder/sbom/cyclonedx_names.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::sbom {
namespace {

using core::HashAlgorithm;
using core::Json;

constexpr core::JsonLimits kLimits{.bytes = std::size_t{64} << 20, .depth = 16};

core::Error malformed(const std::string& why) {
  return std::move(core::Error(core::Kind::kIntegrity, "the bill of materials is malformed: " + why)
                       .reason(core::Reason::kMalformed));
}

using Properties = std::map<std::string, std::string, std::less<>>;

Properties properties_of(const Json& row) {
  Properties out;
  if (!row.contains("properties")) return out;
  for (const Json& one : row.at("properties"))
    out.emplace(one.at("name").get<std::string>(), one.at("value").get<std::string>());
  return out;
}

std::string text_of(const Properties& properties, std::string_view name) {
  const auto found = properties.find(name);
  return found == properties.end() ? "" : found->second;
}

std::uint64_t number_of(const Properties& properties, std::string_view name) {
  const std::string text = text_of(properties, name);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    throw malformed(std::string(name) + " is no number");
  return number;
}

core::Digest digest_of(const Json& row, HashAlgorithm algorithm, std::string_view name) {
  for (const Json& hash : row.at("hashes")) {
    if (hash.at("alg") == name)
      return core::Digest::from_hex(algorithm, hash.at("content").get<std::string>());
  }
  throw malformed("a component without " + std::string(name));
}

Component component_of(const Json& row, const Properties& properties) {
  Component out;
  out.kind = text_of(properties, kKind);
  if (out.kind != kBootLoader && out.kind != kKernel && out.kind != kProgram)
    throw malformed("an unknown kind of component");
  out.name = row.at("name").get<std::string>();
  out.version = row.value("version", "");
  out.package = text_of(properties, kPackage);
  out.source_package = text_of(properties, kSourcePackage);
  out.purl = row.value("purl", "");
  out.sha256 = digest_of(row, HashAlgorithm::kSha256, "SHA-256");
  return out;
}

std::string path_of(const Json& row, const Properties& properties) {
  if (properties.contains(kPathBytes)) {
    const std::vector<std::uint8_t> bytes = core::from_base64(text_of(properties, kPathBytes));
    return {bytes.begin(), bytes.end()};
  }
  const auto name = row.at("name").get<std::string>();
  if (!name.starts_with('/')) throw malformed("a file without path");
  return name.substr(1);
}

ContentFile file_of(const Json& row, const Properties& properties) {
  return {path_of(row, properties), text_of(properties, kInPlaceOf), number_of(properties, kSize),
          digest_of(row, HashAlgorithm::kSha1, "SHA-1").hex(),
          digest_of(row, HashAlgorithm::kSha256, "SHA-256")};
}

}  // namespace

Inventory read_inventory(std::string_view cyclonedx) {
  Inventory out;
  try {
    const Json json = core::parse_json(cyclonedx, "the bill of materials", kLimits);
    for (const Json& row : json.at("components")) {
      const Properties properties = properties_of(row);
      if (row.at("type") == "file") {
        if (out.files.size() == kMostContentFiles) throw malformed("too many files");
        out.files.push_back(file_of(row, properties));
      } else if (properties.contains(kKind)) {
        out.components.push_back(component_of(row, properties));
      }
    }
    if (const Properties all = properties_of(json); all.contains(kFilesLeftOut))
      out.files_left_out = number_of(all, kFilesLeftOut);
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  }
  return out;
}

}  // namespace imgforge::sbom
