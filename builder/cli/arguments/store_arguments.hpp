// What the commands about the store share: opening it, the text of tables, and words about releases.
#pragma once

#include <string>
#include <vector>

#include "artifacts/store/inventory.hpp"
#include "artifacts/store/store.hpp"
#include "builder/cli/frame/command.hpp"
#include "core/json_fwd.hpp"
#include "signing/trust/trust.hpp"

namespace imgforge::cli {

/// The store of --output-dir. Throws kStore when it is none.
artifacts::Store open_store(const Context& context);

/// Rows of text in columns as wide as their widest cell, two blanks apart, without blanks at the line's end.
/// The first row is the heading. Cells are escaped. Columns in `right` (from 0) are set to the right.
std::string text_table(const std::vector<std::vector<std::string>>& rows, const Style& style,
                       const std::vector<std::size_t>& right = {});

/// Whose signature a release's manifest carries, by the key id alone.
struct SignatureClaim {
  std::string status;  ///< "trusted", "refused" (not now, or never again), "unknown", "unsigned", "missing",
                       ///< "damaged"
  std::string signer;  ///< name of the trusted key, or the id of an unknown one
  std::string text() const;
};
SignatureClaim signature_claim(const artifacts::InventoryRelease& release, const signing::TrustStore& trust);

/// "qcow2 29.4 MB, iso 31.0 MB": real sizes by format, in the manifest's order.
std::string formats_text(const artifacts::InventoryRelease& release);
/// "disk BIOS 5.0 s, cd UEFI 12.3 s": the observed boots; "-" when there are none.
std::string boots_text(const artifacts::Manifest& manifest);

/// A release as the JSON of `list` and `show`.
core::Json release_json(const artifacts::InventoryRelease& release, const signing::TrustStore& trust);

}  // namespace imgforge::cli
