// build --verify-reproducible: two builds from scratch whose artifacts must be the same bytes.
#pragma once

#include <string>
#include <vector>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/steps/build.hpp"

namespace imgforge::cli {

/// Builds the profiles twice without results of earlier runs, the second time in another cache folder, other
/// surroundings and, where the machine allows it, another sandbox; downloads are shared. Publishes nothing,
/// but what the first build made is in the cache. Returns what was varied. When artifacts differ, prints
/// where, down to the field or line, and throws kIntegrity.
std::vector<std::string> verify_reproducible(Context& context, const BuildArguments& arguments,
                                             steps::BuildRequest request, artifacts::Earlier earlier);

}  // namespace imgforge::cli
