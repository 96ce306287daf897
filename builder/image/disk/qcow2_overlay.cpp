#include "builder/image/disk/qcow2_overlay.hpp"

#include "builder/machine/tools.hpp"
#include "core/error.hpp"

namespace imgforge::image {

void make_overlay(const std::filesystem::path& target, const std::string& backing, const std::string& format,
                  core::ProcessRunner& processes, const core::CancelToken& cancel) {
  core::Command command;
  command.program = machine::require_program("qemu-img");
  // In the folder of the disk: then no name of a folder is read as "protocol:..." or as an option.
  command.directory = target.parent_path();
  command.args = {"create", "-q", "-f", "qcow2", "-F", format, "-b", backing, target.filename()};
  processes.check(command, cancel, core::Kind::kImage);
}

}  // namespace imgforge::image
