#include "builder/image/disk/qcow2_overlay.hpp"

#include "builder/machine/qemu_img.hpp"
#include "core/error.hpp"

namespace imgforge::image {

void make_overlay(const std::filesystem::path& target, const std::string& backing, const std::string& format,
                  core::ProcessRunner& processes, const core::CancelToken& cancel) {
  processes.check(
      machine::qemu_img({"create", "-q", "-f", "qcow2", "-F", format, "-b", backing, target.filename()},
                        target.parent_path()),
      cancel, core::Kind::kImage);
}

}  // namespace imgforge::image
