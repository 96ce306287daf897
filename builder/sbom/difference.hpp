// What two releases do not both consist of, going by their signed manifests and inventories.
#pragma once

#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/manifest/release_diff.hpp"
#include "builder/sbom/inventory.hpp"

namespace imgforge::sbom {

struct Difference {
  std::vector<artifacts::DiffRow> packages;  ///< name and versions, as artifacts::diff_releases has them
  std::vector<artifacts::DiffRow> licences;  ///< of packages and models that both have
  std::vector<artifacts::DiffRow> models;    ///< name; version and sha256
  /// Boot loaders, kernels and programs: "kernel linux"; version and sha256. None where an inventory tells
  /// none, as those of older releases do.
  std::vector<artifacts::DiffRow> components;
};

Difference difference(const artifacts::Manifest& before, const artifacts::Manifest& after,
                      const Inventory& inventory_before = {}, const Inventory& inventory_after = {});

}  // namespace imgforge::sbom
