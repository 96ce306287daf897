// The index of virt-builder(1), "CREATE AND SIGN THE INDEX FILE": one section a template, `key=value` lines.
// The current release of a line is the template of that name; older ones are hidden templates named with
// their version, so that `--list` stays short and every release can still be asked for.
#pragma once

#include <string>

#include "builder/export/releases.hpp"

namespace imgforge::exports {

/// Text of `index`. Releases without a disk (qcow2 or raw) are left out.
std::string print_virt_builder_index(const Catalogue& catalogue);

}  // namespace imgforge::exports
