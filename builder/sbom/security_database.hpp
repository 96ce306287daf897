// Alpine's security database (secdb): which version of a source package mends which vulnerabilities, in JSON
// files as secdb.alpinelinux.org has them (https://gitlab.alpinelinux.org/alpine/infra/docker/secdb). Read
// from a local folder, so a look needs no network.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/sbom/vex.hpp"

namespace imgforge::sbom {

struct Fix {
  std::string version;           ///< the first that has it; "0": this package never had the fault
  std::vector<std::string> ids;  ///< "CVE-2022-30065", sometimes with a word about others in brackets
};

struct SecurityDatabase {
  std::map<std::string, std::vector<Fix>> by_source_package;
  std::vector<std::string> origins;  ///< "v3.19 main", one a file
};

/// Reads all *.json of a folder. Throws kUsage when there are none, kIntegrity for a file of another form,
/// kUnsafe for one larger than 64 MiB.
SecurityDatabase read_security_database(const std::filesystem::path& folder);

/// Adds one file of the database, of at most 64 MiB. Throws kIntegrity as above; `what` names it.
void add_security_database(std::string_view text, const std::string& what, SecurityDatabase& database);

/// A package of a release that a newer version of mends something.
struct Vulnerable {
  std::string package;
  std::string source_package;
  std::string installed;
  std::string fixed;  ///< the first version that mends these
  std::vector<std::string> ids;
  auto operator<=>(const Vulnerable&) const = default;
};

/// Sorted by package and version. A package without a known source package is looked for by its own name.
std::vector<Vulnerable> vulnerable_packages(const std::vector<artifacts::ManifestPackage>& packages,
                                            const SecurityDatabase& database);

/// Vulnerabilities of one row that the release says the same about.
struct Judged {
  Vulnerable what;     ///< `ids` are those alone
  std::string status;  ///< of OpenVEX; empty: the release says nothing about them
  std::string why;     ///< justification, impact or action, for people
  /// Whether nothing has to be mended, says the release.
  bool is_excused() const { return status == "not_affected" || status == "fixed"; }
  bool operator==(const Judged&) const = default;
};

/// `found` of a release, with what its signed statements say; in the same order, each row taken apart by
/// statement.
std::vector<Judged> judged(const std::vector<Vulnerable>& found, const artifacts::Manifest& manifest,
                           const std::vector<Statement>& statements);

}  // namespace imgforge::sbom
