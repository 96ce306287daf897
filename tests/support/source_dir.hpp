// Where the sources and the test material are. One object holds the path, so that all others are the same in
// every folder.
#pragma once

#include <filesystem>

namespace imgforge {

/// Top of the source tree that these tests were built from.
std::filesystem::path source_dir();

/// Folder of the real Alpine files: $IMGFORGE_TEST_ALPINE, or `shared/alpine` beside the source tree. It need
/// not exist.
std::filesystem::path alpine_material();

}  // namespace imgforge
