// Files compared byte by byte for diff and build --verify-reproducible: which belong together, and
// how the result is told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/compare/report/report.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::cli {

/// A file of each side. An empty path: that side has none.
struct ComparedPair {
  std::string name;  ///< "hello-boot.qcow2"
  std::filesystem::path before;
  std::filesystem::path after;
};

/// What two words of the user name: two files, or two releases, whose artifacts are paired by format. kUsage
/// for anything else.
std::vector<ComparedPair> paired_files(Context& context, const std::string& before, const std::string& after);
/// The artifacts of two releases: one pair for each name without version.
std::vector<ComparedPair> paired_artifacts(const artifacts::Manifest& before,
                                           const std::filesystem::path& before_folder,
                                           const artifacts::Manifest& after,
                                           const std::filesystem::path& after_folder);

/// Those of them whose digests differ.
std::vector<ComparedPair> differing_artifacts(const artifacts::Manifest& before,
                                              const std::filesystem::path& before_folder,
                                              const artifacts::Manifest& after,
                                              const std::filesystem::path& after_folder);

/// One node a pair; empty ones are equal.
std::vector<compare::Node> compare_pairs(Context& context, const std::vector<ComparedPair>& pairs);
bool all_equal(const std::vector<compare::Node>& found);

std::string comparison_text(const std::vector<compare::Node>& found);
/// {"schema": 1, "equal": false, "files": [...]}
core::Json comparison_json(const std::vector<compare::Node>& found);
/// Prints where the pairs differ, as text or JSON. Returns their names for an error, with commas.
std::string explain_pairs(Context& context, const std::vector<ComparedPair>& pairs);

}  // namespace imgforge::cli
