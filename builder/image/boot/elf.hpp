// What a program out of an image needs to run: its loader and its libraries. The files come from a root file
// system that was built by others, so every offset is checked against the size before it is used.
// Format: System V ABI, ELF-64 object file format (program headers, dynamic section).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::image {

struct ElfNeeds {
  std::string interpreter;          ///< PT_INTERP: "/lib/ld-musl-x86_64.so.1"; empty: static
  std::vector<std::string> needed;  ///< DT_NEEDED names, in stored order
};

/// Reads a whole little-endian ELF64 file. Throws kImage naming `name` when it is not one, or is malformed.
ElfNeeds read_elf_needs(std::string_view file, std::string_view name);

}  // namespace imgforge::image
