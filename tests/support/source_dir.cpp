#include "support/source_dir.hpp"

#include <cstdlib>

namespace imgforge {

std::filesystem::path source_dir() {
  return IMGFORGE_SOURCE_DIR;
}

std::filesystem::path alpine_material() {
  const char* named = std::getenv("IMGFORGE_TEST_ALPINE");
  return named != nullptr ? std::filesystem::path(named) : source_dir() / "../shared/alpine";
}

}  // namespace imgforge
