// Links of other people in the output folder that lead into releases, such as an administrator's
// `images/latest-lab.qcow2`: they are named before their target goes, and never removed.
#pragma once

#include <filesystem>
#include <vector>

#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

struct ForeignLink {
  std::filesystem::path path;    ///< from the output folder on
  std::filesystem::path target;  ///< what it leads to in the end, without links
};

/// By path. Links of imgforge itself, and what is in releases, the archive and clones, are not among them.
std::vector<ForeignLink> foreign_links(const Store& store);

}  // namespace imgforge::artifacts
