#include <fmt/format.h>

#include "builder/sbom/facts.hpp"
#include "builder/sbom/sbom.hpp"
#include "core/json.hpp"
#include "core/random.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using core::Json;

Json digest(const core::Digest& sha256) {
  return Json::array({{{"alg", "SHA-256"}, {"content", sha256.hex()}}});
}

Json licences(const std::string& licence) {
  if (is_licence_expression(licence)) return Json::array({{{"expression", licence}}});
  return Json::array({{{"license", {{"name", licence}}}}});
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
  if (!one.origin.empty())
    row["properties"] = Json::array({{{"name", "imgforge:source_package"}, {"value", one.origin}}});
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
  return row;
}

}  // namespace

std::string make_cyclonedx(const Manifest& manifest) {
  Json components = Json::array();
  Json of_image = Json::array({"base"});
  Json of_base = Json::array();
  components.push_back(base_component(manifest.base));
  for (const artifacts::ManifestPackage& one : manifest.packages) {
    components.push_back(package_component(one, manifest.base));
    (one.from_base ? of_base : of_image).push_back(components.back().at("bom-ref"));
  }
  for (const artifacts::ManifestModel& model : manifest.models) {
    components.push_back(model_component(model));
    of_image.push_back(components.back().at("bom-ref"));
  }
  const std::string identity = fmt::format("imgforge cyclonedx {} {}", manifest.stem(), components.dump());
  return core::print_json({{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
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
                               {"version", manifest.version}}}}},
                           {"components", components},
                           {"dependencies", Json::array({{{"ref", "image"}, {"dependsOn", of_image}},
                                                         {{"ref", "base"}, {"dependsOn", of_base}}})}});
}

std::vector<artifacts::Document> documents(const Manifest& manifest) {
  return {{std::string(kCycloneDxFile), make_cyclonedx(manifest)},
          {std::string(kSpdxFile), make_spdx(manifest)}};
}

}  // namespace imgforge::sbom
