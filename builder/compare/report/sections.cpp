#include "builder/compare/report/sections.hpp"

#include <algorithm>

#include "builder/compare/report/fields.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

constexpr std::size_t kMostSections = 4096;
constexpr std::uint64_t kNoBits = 8;  // SHT_NOBITS
constexpr std::size_t kElfSection = 64;
constexpr std::size_t kPeSection = 40;
constexpr std::size_t kLargestNames = 1 << 20;

bool is_inside(const Window& window, std::uint64_t offset, std::uint64_t size) {
  return size != 0 && offset <= window.size && size <= window.size - offset;
}

std::string name_at(const std::string& names, std::uint64_t offset) {
  if (offset >= names.size()) return "?";
  return core::escaped(names.substr(offset, names.find('\0', offset) - offset), 64);
}

}  // namespace

std::vector<Section> elf_sections(const Window& window) {
  const WindowReader file(window);
  const std::string header = file.read(0, 64);
  if (header.size() != 64 ||
      !header.starts_with("\x7f"
                          "ELF\x02\x01") ||
      little(header, 58, 2) != kElfSection)
    return {};
  const std::size_t count = std::min<std::size_t>(little(header, 60, 2), kMostSections);
  const std::string table = file.read(little(header, 40, 8), count * kElfSection);
  const std::uint64_t names_at = little(header, 62, 2) * kElfSection;
  if (table.size() != count * kElfSection || names_at + kElfSection > table.size()) return {};
  const std::string names = file.read(little(table, names_at + 24, 8),
                                      std::min<std::size_t>(little(table, names_at + 32, 8), kLargestNames));
  std::vector<Section> sections;
  for (std::size_t at = 0; at < table.size(); at += kElfSection) {
    const std::uint64_t offset = little(table, at + 24, 8);
    const std::uint64_t size = little(table, at + 32, 8);
    if (little(table, at + 4, 4) == kNoBits || !is_inside(window, offset, size)) continue;
    sections.push_back({name_at(names, little(table, at, 4)), window.part(offset, size)});
  }
  return sections;
}

std::vector<Section> pe_sections(const Window& window) {
  const WindowReader file(window);
  const std::string head = file.read(0, 64);
  if (!head.starts_with("MZ") || head.size() != 64) return {};
  const std::uint64_t start = little(head, 60, 4);
  const std::string header = file.read(start, 24);
  if (header.size() != 24 || !header.starts_with(std::string_view("PE\0\0", 4))) return {};
  const std::string table = file.read(start + 24 + little(header, 20, 2), little(header, 6, 2) * kPeSection);
  std::vector<Section> sections;
  for (std::size_t at = 0; at + kPeSection <= table.size(); at += kPeSection) {
    const std::uint64_t offset = little(table, at + 20, 4);
    const std::uint64_t size = little(table, at + 16, 4);
    if (!is_inside(window, offset, size)) continue;
    sections.push_back({show(Show::kText, std::string_view(table).substr(at, 8)), window.part(offset, size)});
  }
  return sections;
}

}  // namespace imgforge::compare
