// The files of the page: its own, which are in the program, and those of xterm.js and noVNC, which are
// Debian's packages of this machine.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "builder/dashboard/answer.hpp"
#include "builder/machine/doctor.hpp"

namespace imgforge::dashboard {

/// What a path of the page names; nothing when there is no such file. A file of a package that is not
/// installed is 404 with the package in the hint.
std::optional<Answer> page_file(const std::string& path);

/// Whether those packages are there, below `root`, for `imgforge doctor`: without them the page lacks
/// consoles or screens, and all else works.
std::vector<machine::Finding> examine_packages(const std::filesystem::path& root = "/");

}  // namespace imgforge::dashboard
