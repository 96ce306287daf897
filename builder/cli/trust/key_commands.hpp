// The commands below `imgforge key` that are in files of their own.
#pragma once

#include "builder/cli/options.hpp"

namespace imgforge::cli {

/// list, show, trust, introduce, rotate, threshold, revoke.
void declare_key_trust(OptionSet& set);
/// `key attach`.
void declare_key_attach(OptionSet& set);

}  // namespace imgforge::cli
