#include "builder/image/boot/early_program.hpp"

#include "core/embed.hpp"

IMGFORGE_EMBED(early_program, IMGFORGE_EARLY_FOLDER "early")

namespace imgforge::image {

std::string_view early_program() {
  return IMGFORGE_EMBEDDED(early_program);
}

}  // namespace imgforge::image
