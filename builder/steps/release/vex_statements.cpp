#include "builder/steps/release/vex_statements.hpp"

#include <algorithm>
#include <set>

namespace imgforge::steps {
namespace {

/// Names of installed packages with a statement of their own about that vulnerability.
std::set<std::string> named_themselves(const recipe::ResolvedRecipe& recipe,
                                       const std::string& vulnerability) {
  std::set<std::string> out;
  for (const recipe::VexStatement& statement : recipe.vex) {
    if (statement.vulnerability == vulnerability) out.insert(statement.package);
  }
  return out;
}

std::vector<std::string> packages_of(const recipe::VexStatement& statement,
                                     const recipe::ResolvedRecipe& recipe, artifacts::Manifest manifest) {
  const std::set<std::string> others = named_themselves(recipe, statement.vulnerability);
  std::erase_if(manifest.packages, [&](const artifacts::ManifestPackage& package) {
    return package.name != statement.package && others.contains(package.name);
  });
  return sbom::packages_named(manifest, statement.package);
}

}  // namespace

std::vector<sbom::Statement> vex_statements(const recipe::ResolvedRecipe& recipe,
                                            const artifacts::Manifest& manifest) {
  std::vector<sbom::Statement> out;
  for (const recipe::VexStatement& statement : recipe.vex) {
    std::vector<std::string> packages = packages_of(statement, recipe, manifest);
    if (packages.empty() && statement.justification == "component_not_present")
      packages.push_back(sbom::absent_package(statement.package));
    if (packages.empty()) continue;
    out.push_back({statement.vulnerability, std::move(packages), statement.status, statement.justification,
                   statement.impact_statement, statement.action_statement, statement.status_notes});
  }
  return out;
}

}  // namespace imgforge::steps
