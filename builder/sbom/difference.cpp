#include "builder/sbom/difference.hpp"

#include <algorithm>
#include <map>
#include <string>

namespace imgforge::sbom {
namespace {

using Values = std::map<std::string, std::string>;

Values licences_of(const artifacts::Manifest& manifest) {
  Values values;
  for (const artifacts::ManifestPackage& package : manifest.packages) values[package.name] = package.licence;
  for (const artifacts::ManifestModel& model : manifest.models) values["model " + model.name] = model.licence;
  return values;
}

Values models_of(const artifacts::Manifest& manifest) {
  Values values;
  for (const artifacts::ManifestModel& model : manifest.models)
    values[model.name] = (model.version.empty() ? "" : model.version + ", ") + "sha256 " + model.sha256.hex();
  return values;
}

/// Several of one name, such as two kernels, stand in one row.
Values components_of(const Inventory& inventory) {
  Values values;
  for (const Component& one : inventory.components) {
    std::string& text = values[one.kind + " " + one.name];
    if (!text.empty()) text += "; ";
    text += (one.version.empty() ? "" : one.version + ", ") + "sha256 " + one.sha256.hex();
  }
  return values;
}

std::vector<artifacts::DiffRow> diff_components(const Inventory& before, const Inventory& after) {
  if (before.components.empty() || after.components.empty()) return {};
  return artifacts::diff_values(components_of(before), components_of(after));
}

}  // namespace

Difference difference(const artifacts::Manifest& before, const artifacts::Manifest& after,
                      const Inventory& inventory_before, const Inventory& inventory_after) {
  std::vector<artifacts::DiffRow> licences = artifacts::diff_values(licences_of(before), licences_of(after));
  std::erase_if(licences,
                [](const artifacts::DiffRow& row) { return row.change != artifacts::Change::kChanged; });
  return {artifacts::diff_releases(before, after).packages, std::move(licences),
          artifacts::diff_values(models_of(before), models_of(after)),
          diff_components(inventory_before, inventory_after)};
}

}  // namespace imgforge::sbom
