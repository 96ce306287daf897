// What two releases do not both consist of, going by their signed manifests.
#pragma once

#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/manifest/release_diff.hpp"

namespace imgforge::sbom {

struct Difference {
  std::vector<artifacts::DiffRow> packages;  ///< name and versions, as artifacts::diff_releases has them
  std::vector<artifacts::DiffRow> licences;  ///< of packages and models that both have
  std::vector<artifacts::DiffRow> models;    ///< name; version and sha256
};

Difference difference(const artifacts::Manifest& before, const artifacts::Manifest& after);

}  // namespace imgforge::sbom
