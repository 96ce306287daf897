#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "builder/sbom/facts.hpp"
#include "builder/sbom/sbom.hpp"
#include "core/json.hpp"
#include "core/random.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using core::Json;

constexpr const char* kNothing = "NOASSERTION";

/// Identifiers of SPDX have letters, digits, "." and "-"; names that are the same in these get a number.
class Identifiers {
 public:
  std::string of(const std::string& kind, const std::string& name) {
    std::string id = "SPDXRef-" + kind + "-" + name;
    std::replace_if(
        id.begin(), id.end(),
        [](char c) {
          return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                   c == '-');
        },
        '-');
    std::string free = id;
    for (unsigned& number = next_[id]; !used_.insert(free).second; ++number)
      free = fmt::format("{}-{}", id, number + 2);
    return free;
  }

 private:
  std::set<std::string> used_;
  std::map<std::string, unsigned> next_;  ///< where the search for a number goes on
};

Json package(const std::string& id, const std::string& name, const std::string& version,
             const std::string& from) {
  return {{"SPDXID", id},
          {"name", name},
          {"versionInfo", version},
          {"downloadLocation", from.empty() ? kNothing : from},
          {"filesAnalyzed", false},
          {"licenseConcluded", kNothing},
          {"licenseDeclared", kNothing},
          {"copyrightText", kNothing}};
}

void add_digest(Json& row, const core::Digest& sha256) {
  row["checksums"] = Json::array({{{"algorithm", "SHA256"}, {"checksumValue", sha256.hex()}}});
}

void add_purl(Json& row, const std::string& purl) {
  if (purl.empty()) return;
  row["externalRefs"] = Json::array(
      {{{"referenceCategory", "PACKAGE-MANAGER"}, {"referenceType", "purl"}, {"referenceLocator", purl}}});
}

void add_licence(Json& row, const std::string& licence) {
  if (is_licence_expression(licence)) {
    row["licenseDeclared"] = licence;
  } else if (!licence.empty()) {
    row["licenseComments"] = licence;
  }
}

Json package_row(const std::string& id, const artifacts::ManifestPackage& one,
                 const artifacts::ManifestBase& base) {
  Json row = package(id, one.name, one.version, one.repository);
  if (!one.from_base) add_digest(row, one.sha256);
  if (!one.origin.empty()) row["sourceInfo"] = "built from the source package " + one.origin;
  add_licence(row, one.licence);
  add_purl(row, purl_of(one, base));
  return row;
}

Json model_row(const std::string& id, const artifacts::ManifestModel& model) {
  Json row = package(id, model.name, model.version, url_of(model));
  row["primaryPackagePurpose"] = "OTHER";
  row["comment"] = about(model);
  add_licence(row, model.licence);
  add_digest(row, model.sha256);
  add_purl(row, model.purl);
  return row;
}

/// SPDX 2.3, 7.24, has few words.
const char* purpose_of(const Component& component) {
  if (component.kind == kBootLoader) return "FIRMWARE";
  return component.kind == kKernel ? "OPERATING-SYSTEM" : "APPLICATION";
}

Json component_row(const std::string& id, const Component& one) {
  Json row = package(id, one.name, one.version, "");
  if (one.version.empty()) row.erase("versionInfo");
  row["primaryPackagePurpose"] = purpose_of(one);
  row["comment"] = about(one);
  if (!one.source_package.empty()) row["sourceInfo"] = "built from the source package " + one.source_package;
  add_digest(row, one.sha256);
  add_purl(row, one.purl);
  return row;
}

Json file_row(const std::string& id, const ContentFile& file) {
  Json row{{"SPDXID", id},
           {"fileName", shown_path("./", file)},
           {"checksums", Json::array({{{"algorithm", "SHA1"}, {"checksumValue", file.sha1}},
                                      {{"algorithm", "SHA256"}, {"checksumValue", file.sha256.hex()}}})},
           {"licenseConcluded", kNothing},
           {"copyrightText", kNothing}};
  if (!file.package.empty()) row["comment"] = "in place of the file of the package " + file.package;
  return row;
}

}  // namespace

std::string make_spdx(const Manifest& manifest, const Inventory& inventory) {
  const std::string image = "SPDXRef-Image";
  const std::string base_id = "SPDXRef-Base";
  Identifiers ids;
  Json packages = Json::array();
  packages.push_back(package(image, manifest.line(), manifest.version, ""));
  packages.back()["primaryPackagePurpose"] = "OPERATING-SYSTEM";
  add_purl(packages.back(), image_purl(manifest));
  Json base = package(base_id, manifest.base.kind, manifest.base.release, manifest.base.url);
  add_digest(base, manifest.base.sha256);
  packages.push_back(std::move(base));
  std::set<std::string> of_base;
  for (const artifacts::ManifestPackage& one : manifest.packages) {
    Json row = package_row(ids.of("Package", one.name), one, manifest.base);
    if (one.from_base) of_base.insert(row.at("SPDXID"));
    packages.push_back(std::move(row));
  }
  for (const artifacts::ManifestModel& model : manifest.models)
    packages.push_back(model_row(ids.of("Model", model.name), model));
  for (const Component& one : inventory.components)
    packages.push_back(component_row(ids.of("Component", one.name), one));
  Json files = Json::array();
  for (const ContentFile& file : inventory.files)
    files.push_back(file_row(ids.of("File", shown_path("", file)), file));
  Json relations = Json::array({{{"spdxElementId", "SPDXRef-DOCUMENT"},
                                 {"relationshipType", "DESCRIBES"},
                                 {"relatedSpdxElement", image}}});
  for (const Json& row : packages) {
    if (row.at("SPDXID") == image) continue;
    relations.push_back({{"spdxElementId", of_base.contains(row.at("SPDXID")) ? base_id : image},
                         {"relationshipType", "CONTAINS"},
                         {"relatedSpdxElement", row.at("SPDXID")}});
  }
  for (const Json& row : files) {
    relations.push_back({{"spdxElementId", image},
                         {"relationshipType", "CONTAINS"},
                         {"relatedSpdxElement", row.at("SPDXID")}});
  }
  const std::string identity = packages.dump() + (files.empty() ? "" : files.dump());
  Json out({{"spdxVersion", "SPDX-2.3"},
            {"dataLicense", "CC0-1.0"},
            {"SPDXID", "SPDXRef-DOCUMENT"},
            {"name", manifest.stem()},
            {"documentNamespace", fmt::format("https://spdx.org/spdxdocs/{}-{}", manifest.stem(),
                                              core::derived_uuid("imgforge sbom " + identity))},
            {"creationInfo",
             {{"created", manifest.created}, {"creators", {"Tool: imgforge-" + manifest.tool_version}}}},
            {"packages", packages},
            {"relationships", relations}});
  if (!files.empty()) out["files"] = std::move(files);
  if (const std::string note = left_out_note(inventory); !note.empty()) out["comment"] = note;
  return core::print_json(out);
}

}  // namespace imgforge::sbom
