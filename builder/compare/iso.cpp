#include "builder/compare/iso.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/compare/layouts.hpp"
#include "core/error.hpp"

namespace imgforge::compare {
namespace {

constexpr std::uint64_t kSector = 2048;
constexpr std::uint64_t kFirstDescriptor = 16;
constexpr std::uint64_t kMostDescriptors = 32;
constexpr unsigned char kTerminator = 255;
constexpr std::size_t kCatalogEntry = 32;

const char* descriptor_name(unsigned char type) {
  switch (type) {
    case 0:
      return "boot record";
    case 1:
      return "primary volume descriptor";
    case 2:
      return "supplementary volume descriptor";
    case kTerminator:
      return "volume descriptor set terminator";
    default:
      return "volume descriptor";
  }
}

/// The sector of the boot catalogue, or 0.
std::uint64_t catalog_sector(const WindowReader& medium) {
  for (std::uint64_t i = 0; i < kMostDescriptors; ++i) {
    const std::string bytes = medium.read((kFirstDescriptor + i) * kSector, 75);
    if (bytes.size() < 75 || bytes[0] == static_cast<char>(kTerminator)) return 0;
    if (bytes[0] == 0 && bytes.substr(7).starts_with("EL TORITO SPECIFICATION")) return little(bytes, 71, 4);
  }
  return 0;
}

void compare_descriptors(Node& node, const WindowReader& before, const WindowReader& after) {
  for (std::uint64_t i = 0; i < kMostDescriptors; ++i) {
    const std::string old_bytes = before.read((kFirstDescriptor + i) * kSector, kSector);
    const std::string new_bytes = after.read((kFirstDescriptor + i) * kSector, kSector);
    if (old_bytes.empty() || new_bytes.empty()) return;
    const auto type = static_cast<unsigned char>(old_bytes[0]);
    Node part{.name = descriptor_name(type), .kind = ""};
    compare_fields(part, type == 1 || type == 2 ? iso_volume_fields() : std::span<const Field>(), old_bytes,
                   new_bytes);
    node.add(std::move(part));
    if (type == kTerminator) return;
  }
}

/// Entries of the catalogue and, where both tell the size of a boot image that is not a file, the image.
void compare_catalog(Node& node, const WindowReader& before, const WindowReader& after,
                     const CompareWindow& compare) {
  const std::uint64_t old_sector = catalog_sector(before);
  const std::uint64_t new_sector = catalog_sector(after);
  if (old_sector == 0 || new_sector == 0) return;
  const std::string old_bytes = before.read(old_sector * kSector, kSector);
  const std::string new_bytes = after.read(new_sector * kSector, kSector);
  for (std::size_t at = 0; at < std::min(old_bytes.size(), new_bytes.size()); at += kCatalogEntry) {
    const std::string old_entry = old_bytes.substr(at, kCatalogEntry);
    const std::string new_entry = new_bytes.substr(at, kCatalogEntry);
    Node part{.name = at == 0 ? "El Torito validation entry"
                              : fmt::format("El Torito entry {}", at / kCatalogEntry),
              .kind = ""};
    compare_fields(part, at == 0 ? el_torito_validation_fields() : el_torito_entry_fields(), old_entry,
                   new_entry);
    node.add(std::move(part));
    if (at == 0 || old_entry[0] != '\x88' || new_entry[0] != '\x88') continue;
    const auto image = [](const WindowReader& medium, const std::string& entry) {
      return medium.window().part(little(entry, 8, 4) * kSector, little(entry, 6, 2) * 512);
    };
    node.add(compare(fmt::format("El Torito boot image {}", at / kCatalogEntry), image(before, old_entry),
                     image(after, new_entry)));
  }
}

}  // namespace

void compare_iso(Node& node, const Window& before, const Window& after, const CompareTools& tools,
                 const CompareContent& compare_file, const CompareWindow& compare_part) {
  const WindowReader a(before);
  const WindowReader b(after);
  compare_disk(node, before.part(0, kFirstDescriptor * kSector), after.part(0, kFirstDescriptor * kSector),
               DiskPart::kSystemArea, tools, compare_part);
  compare_descriptors(node, a, b);
  compare_catalog(node, a, b, compare_part);
  const auto old_files = iso_members(before, tools);
  const auto new_files = iso_members(after, tools);
  compare_members(node, *old_files, *new_files, tools, compare_file);
}

}  // namespace imgforge::compare
