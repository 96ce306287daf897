#include "builder/image/boot/init_script.hpp"

#include "core/embed.hpp"

IMGFORGE_EMBED(init, IMGFORGE_IMAGE_SCRIPTS "init.sh")

namespace imgforge::image {

std::string_view init_script() {
  return IMGFORGE_EMBEDDED(init);
}

}  // namespace imgforge::image
