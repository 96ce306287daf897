// The user's configuration file, <config folder>/config.yaml: what options are when neither the command line
// nor the environment gives them.
//
//   isolation: namespace
//   jobs: 4
#pragma once

#include <filesystem>

#include "builder/cli/frame/options.hpp"

namespace imgforge::cli {

/// Applies the file, when it is there, to all options that are declared by now. A key is the long name of an
/// option, without dashes, of the program or of any command; its value is one word or number. Throws kUsage
/// with the place in the file for anything else.
void apply_configuration(CommandLine& line, const std::filesystem::path& file);

}  // namespace imgforge::cli
