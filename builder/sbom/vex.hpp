// What the makers of a release say about vulnerabilities of its packages, as OpenVEX 0.2.0
// (https://github.com/openvex/spec): the document vex.openvex.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::sbom {

inline constexpr std::string_view kVexFile = "vex.openvex.json";

/// A statement about packages of one release. Its texts are those of OpenVEX; empty ones are not there.
struct Statement {
  std::string vulnerability;
  std::vector<std::string> packages;  ///< package URLs
  std::string status;
  std::string justification;
  std::string impact_statement;
  std::string action_statement;
  std::string status_notes;
  auto operator<=>(const Statement&) const = default;
};

/// The package URLs that `name` means in a release: that of the package, or those of all packages built from
/// the source package of that name.
std::vector<std::string> packages_named(const artifacts::Manifest& manifest, std::string_view name);
/// That of a package which the release does not have: without version.
std::string absent_package(std::string_view name);

/// The document; nothing without statements. Its time is that of the release and its name derives from the
/// content, so equal arguments give equal text.
std::optional<artifacts::Document> vex_document(const artifacts::Manifest& manifest,
                                                const std::vector<Statement>& statements);

constexpr std::size_t kMaxVexBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxStatements = 10'000;

/// Reads such a document. Throws kIntegrity (malformed): another version or form, a member or a status that
/// OpenVEX does not know, a status without the explanation that it needs, too many statements.
std::vector<Statement> read_vex(std::string_view text);

}  // namespace imgforge::sbom
