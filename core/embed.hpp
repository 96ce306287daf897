// Files that are carried inside the program: IMGFORGE_EMBED(symbol, "path") once in a .cpp copies the file in
// when that .cpp is assembled, and IMGFORGE_EMBEDDED(symbol) is its text. CMake's imgforge_embed() says where
// the files are and that the .cpp is compiled again when they change. The assembler does the copying: a
// compiler cache sees its directive and leaves such a .cpp alone.
#pragma once

#include <cstddef>
#include <string_view>

#define IMGFORGE_EMBED(symbol, file)                    \
  asm(".pushsection .rodata\n"                          \
      ".balign 16\n"                                    \
      "imgforge_embedded_" #symbol                      \
      ":\n"                                             \
      ".incbin \"" file                                 \
      "\"\n"                                            \
      "imgforge_embedded_" #symbol                      \
      "_end:\n"                                         \
      ".popsection\n");                                 \
  extern "C" {                                          \
  extern const char imgforge_embedded_##symbol[];       \
  extern const char imgforge_embedded_##symbol##_end[]; \
  }

#define IMGFORGE_EMBEDDED(symbol)              \
  std::string_view(imgforge_embedded_##symbol, \
                   static_cast<std::size_t>(imgforge_embedded_##symbol##_end - imgforge_embedded_##symbol))
