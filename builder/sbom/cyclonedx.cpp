#include <fmt/format.h>

#include <map>

#include "builder/sbom/cyclonedx_names.hpp"
#include "builder/sbom/facts.hpp"
#include "builder/sbom/sbom.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using core::Json;

constexpr std::string_view kArchitecture = "architecture";  // a member of a model's metadata

Json digest(const core::Digest& sha256) {
  return Json::array({{{"alg", "SHA-256"}, {"content", sha256.hex()}}});
}

Json licences(const std::string& licence) {
  if (is_licence_expression(licence)) return Json::array({{{"expression", licence}}});
  return Json::array({{{"license", {{"name", licence}}}}});
}

void add_property(Json& row, std::string_view name, const std::string& value) {
  if (!value.empty()) row["properties"].push_back({{"name", name}, {"value", value}});
}

Json base_component(const artifacts::ManifestBase& base) {
  Json row{{"type", "operating-system"},
           {"bom-ref", "base"},
           {"name", base.kind},
           {"version", base.release},
           {"hashes", digest(base.sha256)}};
  if (!base.url.empty())
    row["externalReferences"] = Json::array({{{"type", "distribution"}, {"url", base.url}}});
  return row;
}

Json package_component(const artifacts::ManifestPackage& one, const artifacts::ManifestBase& base) {
  const std::string purl = purl_of(one, base);
  Json row{
      {"type", "library"}, {"bom-ref", purl}, {"name", one.name}, {"version", one.version}, {"purl", purl}};
  if (!one.licence.empty()) row["licenses"] = licences(one.licence);
  if (!one.from_base) {
    row["hashes"] = digest(one.sha256);
    if (!one.repository.empty())
      row["externalReferences"] = Json::array({{{"type", "distribution"}, {"url", one.repository}}});
  }
  add_property(row, kSourcePackage, one.origin);
  return row;
}

Json model_component(const artifacts::ManifestModel& model) {
  Json row{{"type", "machine-learning-model"},
           {"bom-ref", "model:" + model.name},
           {"name", model.name},
           {"version", model.version},
           {"description", about(model)},
           {"hashes", digest(model.sha256)}};
  if (!model.licence.empty()) row["licenses"] = licences(model.licence);
  if (!model.purl.empty()) row["purl"] = model.purl;
  if (const std::string url = url_of(model); !url.empty())
    row["externalReferences"] = Json::array({{{"type", "distribution"}, {"url", url}}});
  add_property(row, "imgforge:source", url_of(model).empty() ? model.source : "");
  add_property(row, "imgforge:revision", model.revision);
  add_property(row, "imgforge:format", model.format);
  add_property(row, "imgforge:when", model.when);
  for (const auto& [key, value] : model.metadata) {
    if (key == kArchitecture) {
      row["modelCard"] = {{"modelParameters", {{"architectureFamily", value}}}};
    } else {
      add_property(row, "imgforge:" + key, value);
    }
  }
  return row;
}

const char* type_of(const Component& component) {
  if (component.kind == kBootLoader) return "firmware";
  return component.kind == kKernel ? "operating-system" : "application";
}

Json component_row(const Component& one) {
  Json row{{"type", type_of(one)},
           {"bom-ref", fmt::format("{}:{}", one.kind, one.name)},
           {"name", one.name},
           {"description", about(one)},
           {"hashes", digest(one.sha256)}};
  if (!one.version.empty()) row["version"] = one.version;
  if (!one.purl.empty()) row["purl"] = one.purl;
  add_property(row, kKind, one.kind);
  add_property(row, kPackage, one.package);
  add_property(row, kSourcePackage, one.source_package);
  return row;
}

Json file_row(const ContentFile& file) {
  Json row{{"type", "file"},
           {"bom-ref", "file:" + shown_path("/", file)},
           {"name", shown_path("/", file)},
           {"hashes", Json::array({{{"alg", "SHA-1"}, {"content", file.sha1}},
                                   {{"alg", "SHA-256"}, {"content", file.sha256.hex()}}})}};
  add_property(row, kSize, std::to_string(file.size));
  add_property(row, kInPlaceOf, file.package);
  if (!core::is_utf8(file.path))
    add_property(
        row, kPathBytes,
        core::to_base64({reinterpret_cast<const std::uint8_t*>(file.path.data()), file.path.size()}));
  return row;
}

/// Rows with a reference that no other has.
class Components {
 public:
  const Json& add(Json row) {
    const auto reference = row.at("bom-ref").get<std::string>();
    if (const unsigned number = ++used_[reference]; number > 1)
      row["bom-ref"] = fmt::format("{} #{}", reference, number);
    rows.push_back(std::move(row));
    return rows.back().at("bom-ref");
  }
  Json rows = Json::array();

 private:
  std::map<std::string, unsigned> used_;
};

}  // namespace

std::string make_cyclonedx(const Manifest& manifest, const Inventory& inventory) {
  Components all;
  Json of_image = Json::array({"base"});
  Json of_base = Json::array();
  all.add(base_component(manifest.base));
  for (const artifacts::ManifestPackage& one : manifest.packages)
    (one.from_base ? of_base : of_image).push_back(all.add(package_component(one, manifest.base)));
  for (const artifacts::ManifestModel& model : manifest.models)
    of_image.push_back(all.add(model_component(model)));
  for (const Component& one : inventory.components) of_image.push_back(all.add(component_row(one)));
  for (const ContentFile& file : inventory.files) of_image.push_back(all.add(file_row(file)));
  const Json& components = all.rows;
  const std::string identity = fmt::format("imgforge cyclonedx {} {}", manifest.stem(), components.dump());
  Json out({{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
            {"bomFormat", "CycloneDX"},
            {"specVersion", "1.6"},
            {"serialNumber", "urn:uuid:" + core::derived_uuid(identity)},
            {"version", 1},
            {"metadata",
             {{"timestamp", manifest.created},
              {"tools",
               {{"components", Json::array({{{"type", "application"},
                                             {"name", "imgforge"},
                                             {"version", manifest.tool_version}}})}}},
              {"component",
               {{"type", "operating-system"},
                {"bom-ref", "image"},
                {"name", manifest.line()},
                {"version", manifest.version},
                {"purl", image_purl(manifest)}}}}},
            {"components", components},
            {"dependencies", Json::array({{{"ref", "image"}, {"dependsOn", of_image}},
                                          {{"ref", "base"}, {"dependsOn", of_base}}})}});
  if (inventory.files_left_out > 0)
    add_property(out, kFilesLeftOut, std::to_string(inventory.files_left_out));
  return core::print_json(out);
}

std::vector<artifacts::Document> documents(const Manifest& manifest, const Inventory& inventory) {
  return {{std::string(kCycloneDxFile), make_cyclonedx(manifest, inventory)},
          {std::string(kSpdxFile), make_spdx(manifest, inventory)}};
}

}  // namespace imgforge::sbom
