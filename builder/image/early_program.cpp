#include "builder/image/early_program.hpp"

// The assembler copies the program in; a compiler cache sees the directive and leaves this file alone.
asm(".pushsection .rodata\n"
    ".balign 16\n"
    "imgforge_early_program:\n"
    ".incbin \"" IMGFORGE_EARLY_PROGRAM
    "\"\n"
    "imgforge_early_program_end:\n"
    ".popsection\n");

extern "C" {
extern const char imgforge_early_program[];
extern const char imgforge_early_program_end[];
}

namespace imgforge::image {

std::string_view early_program() {
  return {imgforge_early_program,
          static_cast<std::size_t>(imgforge_early_program_end - imgforge_early_program)};
}

}  // namespace imgforge::image
