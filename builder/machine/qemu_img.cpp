#include "builder/machine/qemu_img.hpp"

#include <utility>

#include "builder/machine/tools.hpp"

namespace imgforge::machine {

core::Command qemu_img(std::vector<std::string> words, const std::filesystem::path& folder) {
  core::Command command;
  command.program = require_program("qemu-img").native();
  command.directory = folder;
  command.args = std::move(words);
  return command;
}

}  // namespace imgforge::machine
