// qemu-img(1) as a command to be run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/process.hpp"

namespace imgforge::machine {

/// Throws kMachine when it is not installed. In the `folder` of a disk, whose file name is given alone, no
/// name is read as "protocol:..." or as an option.
core::Command qemu_img(std::vector<std::string> words, const std::filesystem::path& folder = {});

}  // namespace imgforge::machine
