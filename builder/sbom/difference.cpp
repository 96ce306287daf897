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

}  // namespace

Difference difference(const artifacts::Manifest& before, const artifacts::Manifest& after) {
  std::vector<artifacts::DiffRow> licences = artifacts::diff_values(licences_of(before), licences_of(after));
  std::erase_if(licences,
                [](const artifacts::DiffRow& row) { return row.change != artifacts::Change::kChanged; });
  return {artifacts::diff_releases(before, after).packages, std::move(licences),
          artifacts::diff_values(models_of(before), models_of(after))};
}

}  // namespace imgforge::sbom
