// The qcow2 of a profile, for the formats that contain one.
#pragma once

#include <filesystem>

#include "builder/formats/format.hpp"

namespace imgforge::formats {

/// Converts the shared disk as the recipe says.
MadeFile write_qcow2_file(Intermediates& parts, const std::filesystem::path& output);

}  // namespace imgforge::formats
