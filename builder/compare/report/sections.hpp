// Programs by their sections: ELF-64 (System V ABI, chapter 4) and PE/COFF (Microsoft PE Format).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/compare/report/window.hpp"

namespace imgforge::compare {

struct Section {
  std::string name;
  Window window;
};

/// The sections that have bytes in the file; nothing when it is no little-endian ELF-64 file or its table is
/// malformed.
std::vector<Section> elf_sections(const Window& window);
/// The same of a PE file.
std::vector<Section> pe_sections(const Window& window);

}  // namespace imgforge::compare
