#include "builder/compare/disk.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/compare/layouts.hpp"

namespace imgforge::compare {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::size_t kGptHeader = 92;
constexpr std::uint64_t kMostEntries = 1024;
constexpr std::size_t kFirstMbrEntry = 446;

struct Partition {
  std::string name;  ///< "partition 2 (root)"
  Window window;
};

/// A table of partitions as it stands at one place of a disk.
struct Gpt {
  std::string header;                ///< empty: there is none
  std::vector<std::string> entries;  ///< 128 bytes each
  std::uint64_t end = 0;             ///< of the array, bytes
};

Gpt read_gpt_at(const WindowReader& disk, std::uint64_t offset) {
  Gpt gpt;
  const std::string header = disk.read(offset, kGptHeader);
  if (!header.starts_with("EFI PART") || header.size() != kGptHeader) return gpt;
  gpt.header = header;
  const std::uint64_t start = little(header, 72, 8);
  const std::uint64_t count = std::min(little(header, 80, 4), kMostEntries);
  const std::uint64_t size = little(header, 84, 4);
  if (size < 128 || size > 4096 || start > disk.window().size / kSector) return gpt;
  for (std::uint64_t i = 0; i < count; ++i) gpt.entries.push_back(disk.read(start * kSector + i * size, 128));
  gpt.end = start * kSector + count * size;
  return gpt;
}

std::uint64_t backup_offset(const WindowReader& disk, const Gpt& gpt) {
  const std::uint64_t sector = gpt.header.empty() ? 0 : little(gpt.header, 32, 8);
  return sector != 0 && sector < disk.window().size / kSector ? sector * kSector : disk.window().size;
}

void compare_gpt(Node& node, const std::string& which, const Gpt& before, const Gpt& after) {
  if (before.header.empty() && after.header.empty()) return;
  Node header{.name = which + "GPT header", .kind = ""};
  compare_fields(header, gpt_header_fields(), before.header, after.header);
  node.add(std::move(header));
  for (std::size_t i = 0; i < std::min(before.entries.size(), after.entries.size()); ++i) {
    Node entry{.name = fmt::format("{}GPT entry {}", which, i + 1), .kind = ""};
    compare_fields(entry, gpt_entry_fields(), before.entries[i], after.entries[i]);
    node.add(std::move(entry));
  }
}

std::vector<Partition> partitions_of(const WindowReader& disk, const std::string& mbr, const Gpt& gpt) {
  std::vector<Partition> out;
  const auto add = [&](std::size_t number, const std::string& label, std::uint64_t first,
                       std::uint64_t sectors) {
    const std::uint64_t room = disk.window().size / kSector;
    if (sectors == 0 || first >= room || sectors > room - first) return;
    out.push_back({fmt::format("partition {}{}", number, label.empty() ? "" : " (" + label + ")"),
                   disk.window().part(first * kSector, sectors * kSector)});
  };
  for (std::size_t i = 0; i < gpt.entries.size(); ++i) {
    const std::string& entry = gpt.entries[i];
    if (little(entry, 0, 8) == 0 && little(entry, 8, 8) == 0) continue;
    const std::uint64_t first = little(entry, 32, 8);
    const std::uint64_t last = little(entry, 40, 8);
    if (last >= first) add(i + 1, show(Show::kUtf16, entry.substr(56, 72)), first, last - first + 1);
  }
  for (std::size_t i = 0; gpt.header.empty() && i < 4; ++i) {
    const std::size_t at = kFirstMbrEntry + 16 * i;
    add(i + 1, "", little(mbr, at + 8, 4), little(mbr, at + 12, 4));
  }
  return out;
}

/// The bytes that neither tables nor partitions explain.
void compare_gaps(Node& node, const Window& before, const Window& after, std::vector<Range> known,
                  const CompareTools& tools) {
  std::sort(known.begin(), known.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  const std::uint64_t size = std::min(before.size, after.size);
  std::uint64_t at = 0;
  const auto compare = [&](std::uint64_t end) {
    if (end <= at) return;
    Node gap{.name = fmt::format("outside of partitions, from byte {}", at), .kind = ""};
    add_ranges(gap, before.part(at, end - at), after.part(at, end - at), tools.cancel);
    node.add(std::move(gap));
  };
  for (const Range& range : known) {
    compare(std::min(range.start, size));
    at = std::max(at, range.end);
  }
  compare(size);
}

}  // namespace

void compare_disk(Node& node, const Window& before, const Window& after, DiskPart part,
                  const CompareTools& tools, const CompareWindow& compare) {
  const WindowReader a(before);
  const WindowReader b(after);
  if (before.size != after.size) node.add("size", std::to_string(before.size), std::to_string(after.size));
  const std::string old_mbr = a.read(0, kSector);
  const std::string new_mbr = b.read(0, kSector);
  const bool is_protective = old_mbr.size() == kSector && old_mbr[kFirstMbrEntry + 4] == '\xEE';
  Node mbr{.name = is_protective ? "protective MBR" : "MBR", .kind = ""};
  compare_fields(mbr, mbr_fields(), old_mbr, new_mbr);
  node.add(std::move(mbr));
  const Gpt old_gpt = read_gpt_at(a, kSector);
  const Gpt new_gpt = read_gpt_at(b, kSector);
  compare_gpt(node, "", old_gpt, new_gpt);
  const Gpt old_backup = read_gpt_at(a, backup_offset(a, old_gpt));
  const Gpt new_backup = read_gpt_at(b, backup_offset(b, new_gpt));
  compare_gpt(node, "backup ", old_backup, new_backup);
  if (part == DiskPart::kSystemArea) return;
  const std::vector<Partition> old_parts = partitions_of(a, old_mbr, old_gpt);
  const std::vector<Partition> new_parts = partitions_of(b, new_mbr, new_gpt);
  std::vector<Range> known{{0, kSector}};
  const auto know = [&](const Gpt& gpt) {
    if (gpt.header.empty()) return;
    known.push_back({little(gpt.header, 24, 8) * kSector, little(gpt.header, 24, 8) * kSector + kGptHeader});
    known.push_back({little(gpt.header, 72, 8) * kSector, gpt.end});
  };
  know(old_gpt);
  know(old_backup);
  for (std::size_t i = 0; i < std::max(old_parts.size(), new_parts.size()); ++i) {
    if (i >= old_parts.size()) {
      node.add(new_parts[i].name, std::nullopt, "there");
    } else if (i >= new_parts.size()) {
      node.add(old_parts[i].name, "there", std::nullopt);
    } else {
      node.add(compare(old_parts[i].name, old_parts[i].window, new_parts[i].window));
      known.push_back({old_parts[i].window.offset - before.offset,
                       old_parts[i].window.offset - before.offset + old_parts[i].window.size});
    }
  }
  compare_gaps(node, before, after, std::move(known), tools);
}

}  // namespace imgforge::compare
