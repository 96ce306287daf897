#include "builder/image/boot/live_root.hpp"

namespace imgforge::image {

std::vector<std::string> root_on_medium(const std::string& id) {
  return {"root=medium:" + id, "rootfstype=squashfs", "ro", "imgforge.overlay=tmpfs"};
}

std::vector<std::string> root_on_stick(const std::string& root, const std::string& data) {
  return {"root=PARTLABEL=" + root, "rootfstype=squashfs", "ro", "imgforge.overlay=PARTLABEL=" + data};
}

std::vector<std::string> root_in_initramfs() {
  return {"root=file:/root.squashfs", "rootfstype=squashfs", "ro", "imgforge.overlay=tmpfs"};
}

}  // namespace imgforge::image
