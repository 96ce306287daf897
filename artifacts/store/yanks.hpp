// Releases that their publisher withdrew: they stay, but nothing new begins with them. One small file each,
// `.yanked/<line>@<version>`, as pins have; the next catalogue tells it to everybody else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifacts/store/pins.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

/// The catalogue of a store (artifacts/catalogue) lies there.
inline constexpr const char* kCatalogueFolder = "tuf";

/// Marks a release that is there. Returns warnings. Throws kStore when it is not, kUsage for an empty reason
/// or one that is not one line.
std::vector<std::string> yank(const Store& store, std::string_view line, const Version& version,
                              std::string_view reason, const ChangeOptions& options = {});
/// Takes the mark away; false when there was none.
bool unyank(const Store& store, std::string_view line, const Version& version,
            std::vector<std::string>& warnings, const ChangeOptions& options = {});
/// Throws kIntegrity (yanked) when "<line>@<version>" is marked.
void refuse_yanked(const std::filesystem::path& root, const std::string& reference);

}  // namespace imgforge::artifacts
