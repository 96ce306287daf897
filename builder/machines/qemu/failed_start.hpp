// What is said when QEMU ends before it has made the machine.
#pragma once

#include <string>

#include "builder/machines/registry/settings.hpp"
#include "core/error.hpp"

namespace imgforge::machines {

/// kBoot, quoting what QEMU and its helpers printed; with what to do where their words tell the cause: a
/// bridge that is not there or not allowed, a port that was taken after imgforge had looked.
core::Error failed_start(const Settings& settings, const std::string& said);

}  // namespace imgforge::machines
