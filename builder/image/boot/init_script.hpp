// The program that runs first in an image: the initramfs's /init, a shell script for busybox. It is the
// file init.sh beside this one.
#pragma once

#include <string_view>

namespace imgforge::image {

/// Line on the console when the root file system is mounted and its init is about to start.
inline constexpr std::string_view kHandOverMarker = "imgforge: root is up, handing over";

/// Text of /init.
std::string_view init_script();

}  // namespace imgforge::image
