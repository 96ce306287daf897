// What a recipe says about vulnerabilities, as statements about the packages of a release.
#pragma once

#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/sbom/vex.hpp"

namespace imgforge::steps {

/// A statement about a source package is about all packages built from it but those that have one of their
/// own for the same vulnerability. One about a package that the release does not have is left out, unless it
/// says just that.
std::vector<sbom::Statement> vex_statements(const recipe::ResolvedRecipe& recipe,
                                            const artifacts::Manifest& manifest);

}  // namespace imgforge::steps
