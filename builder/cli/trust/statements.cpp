#include "builder/cli/trust/statements.hpp"

#include <algorithm>

#include "builder/provenance/rebuilt.hpp"
#include "builder/provenance/slsa.hpp"
#include "core/error.hpp"

namespace imgforge::cli {
namespace {

using artifacts::CheckRow;
using core::Error;
using core::Kind;

}  // namespace

Statements check_statements(const std::filesystem::path& directory, const artifacts::SignedManifest& release,
                            const signing::TrustStore& trust) {
  Statements found;
  const artifacts::Manifest& manifest = release.manifest();
  std::vector<signing::PublicKey> builders;
  const auto attempt = [&](const char* subject, const char* check, const auto& body) {
    try {
      body();
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      CheckRow row{subject, check, false, {}, {}, {}};
      row.fail(error);
      found.rows.push_back(std::move(row));
    }
  };
  if (provenance::has_provenance(manifest)) {
    attempt(provenance::kProvenanceFile.data(), "provenance", [&] {
      builders = provenance::read_provenance(directory, manifest, trust).signers;
      found.has_provenance = true;
      found.rows.push_back({std::string(provenance::kProvenanceFile),
                            "provenance",
                            true,
                            "of this release, says " + trust.describe(builders.front()),
                            {},
                            {}});
    });
  }
  attempt(directory.filename().c_str(), "rebuilt", [&] {
    provenance::Rebuilt rebuilt = provenance::check_rebuilt(directory, manifest, release.digest(), trust);
    for (CheckRow& row : rebuilt.rows) found.rows.push_back(std::move(row));
    for (const signing::PublicKey& key : rebuilt.builders) {
      const auto same = [&](const signing::PublicKey& other) { return other.same_key(key); };
      if (std::none_of(builders.begin(), builders.end(), same)) ++found.rebuilt_by;
    }
  });
  return found;
}

}  // namespace imgforge::cli
