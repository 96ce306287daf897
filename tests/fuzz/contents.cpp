// What releases consist of and what is known against it: the inventory in a bill of materials, OpenVEX
// documents, Alpine's security database. What is written of one must be read as the same.
#include <stdexcept>

#include "builder/sbom/sbom.hpp"
#include "builder/sbom/security_database.hpp"
#include "builder/sbom/vex.hpp"
#include "core/text.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {

void bill_of_materials(std::string_view bytes) {
  const sbom::Inventory read = sbom::read_inventory(bytes);
  if (sbom::read_inventory(sbom::make_cyclonedx({}, read)) != read)
    throw std::logic_error("the inventory does not survive being written and read");
  sbom::make_spdx({}, read);
}

void vex(std::string_view bytes) {
  const std::vector<sbom::Statement> read = sbom::read_vex(bytes);
  const auto document = sbom::vex_document({}, read);
  if (document && sbom::read_vex(document->content) != read)
    throw std::logic_error("the statements do not survive being written and read");
}

/// With a package that each row of the file may be about.
void secdb(std::string_view bytes) {
  sbom::SecurityDatabase database;
  sbom::add_security_database(bytes, "input", database);
  artifacts::Manifest manifest;
  for (const auto& [name, fixes] : database.by_source_package) {
    artifacts::ManifestPackage& package = manifest.packages.emplace_back();
    package.name = name;
    package.version = "1.2.3-r4";
  }
  sbom::judged(sbom::vulnerable_packages(manifest.packages, database), manifest, {});
}

}  // namespace imgforge::fuzz
