// Lists of what differs between two releases, as text and JSON.
#pragma once

#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/manifest/release_diff.hpp"
#include "builder/cli/frame/terminal.hpp"
#include "core/json.hpp"

namespace imgforge::cli {

/// A titled list of the comparison.
struct DiffSection {
  const char* title;
  const char* key;  ///< in JSON
  std::vector<artifacts::DiffRow> rows;
};

/// "2 added, 1 changed".
std::string diff_counts(const std::vector<artifacts::DiffRow>& rows);
/// A title and the sections that are not empty, else "no difference".
std::string diff_text(const std::string& title, const std::vector<DiffSection>& sections, const Style& style);
/// All sections, each under its key; a side on which a row is absent is null.
core::Json diff_json(const artifacts::Manifest& before, const artifacts::Manifest& after,
                     const std::vector<DiffSection>& sections);

}  // namespace imgforge::cli
