// `imgforge fetch base`: one of Alpine's own ISO images, verified, as a file of the store.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "artifacts/store/placed_file.hpp"
#include "builder/fetch/alpine/alpine_base.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

struct FetchedBase {
  fetch::BaseSource source;
  artifacts::VerifiedFile file;
  artifacts::PlacedFile placed;
};

/// Name of a base below `isos/`: `alpine-base-<version>-<arch>.iso` for the flavor virt, and Alpine's own
/// name
/// (`alpine-standard-<version>-<arch>.iso`) for the others, so that no two flavors share one.
std::string base_iso_name(std::string_view flavor, std::string_view version, std::string_view arch);

/// Finds, fetches and verifies the ISO image and puts it into the store, which is made when there is none.
/// Throws kUsage for a flavor that is no ISO image, else what find_base, fetch_base and place_file throw.
FetchedBase fetch_base_iso(Toolbox& tools, const fetch::BaseRequest& request,
                           const std::filesystem::path& output_dir);

}  // namespace imgforge::stages
