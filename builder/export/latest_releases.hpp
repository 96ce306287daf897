// `latest-releases.yaml` with the fields that Alpine's mirrors have in theirs, an entry for each image of
// each current release. `flavor` is the line; `file` is a path, relative to the file itself.
#pragma once

#include <string>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

std::string print_latest_releases(const Catalogue& catalogue);

}  // namespace imgforge::exports
