#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "builder/compare/members/placed_members.hpp"
#include "builder/compare/report/fields.hpp"
#include "core/error.hpp"

namespace imgforge::compare {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kEntry = 32;
constexpr std::uint64_t kMostDirectory = 8u << 20;
constexpr int kDeepest = 32;
constexpr unsigned kVolumeLabel = 0x08;
constexpr unsigned kDirectory = 0x10;
constexpr unsigned kLongName = 0x0F;

std::string date_text(std::uint64_t date, std::uint64_t time) {
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", 1980 + (date >> 9), date >> 5 & 15, date & 31,
                     time >> 11, time >> 5 & 63, (time & 31) * 2);
}

/// Windows NT and its kin keep in DIR_NTRes whether name and extension are lower case.
std::string short_name(std::string_view entry) {
  const auto part = [&](std::size_t at, std::size_t size, unsigned lower) {
    std::string text = show(Show::kText, entry.substr(at, size));
    if ((static_cast<unsigned char>(entry[12]) & lower) == 0) return text;
    for (char& c : text) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
  };
  const std::string extension = part(8, 3, 0x10);
  return part(0, 8, 0x08) + (extension.empty() ? "" : "." + extension);
}

/// The thirteen characters of one entry of a long name.
std::string long_part(std::string_view entry) {
  return std::string(entry.substr(1, 10)) + std::string(entry.substr(14, 12)) +
         std::string(entry.substr(28, 4));
}

class FatMembers : public PlacedMembers {
 public:
  FatMembers(const Window& window, const CompareTools& tools) : PlacedMembers(window, tools) {
    const std::string boot = reader().read(0, 512);
    const std::uint64_t sector = little(boot, 11, 2);
    cluster_ = little(boot, 13, 1) * sector;
    fat_ = little(boot, 14, 2) * sector;
    const std::uint64_t root_entries = little(boot, 17, 2);
    const std::uint64_t fat_sectors = little(boot, 22, 2) != 0 ? little(boot, 22, 2) : little(boot, 36, 4);
    const std::uint64_t all = little(boot, 19, 2) != 0 ? little(boot, 19, 2) : little(boot, 32, 4);
    if (sector < 512 || sector > 4096 || cluster_ == 0 || all * sector > window.size)
      throw Error(Kind::kImage, "the boot sector of the FAT file system is malformed");
    const std::uint64_t root = fat_ + little(boot, 16, 1) * fat_sectors * sector;
    data_ = root + root_entries * kEntry;
    if (data_ > all * sector) throw Error(Kind::kImage, "the FAT file system is smaller than its tables");
    clusters_ = (all * sector - data_) / cluster_;
    bits_ = clusters_ < 4085 ? 12 : clusters_ < 65525 ? 16 : 32;
    if (bits_ == 32) {
      read_directory("", read_chain(little(boot, 44, 4)), 0);
    } else {
      read_directory("", reader().read(root, static_cast<std::size_t>(root_entries * kEntry)), 0);
    }
  }

 private:
  std::uint64_t next(std::uint64_t cluster) const {
    if (bits_ == 12) {
      const std::uint64_t pair = little(reader().read(fat_ + cluster * 3 / 2, 2), 0, 2);
      return cluster % 2 == 0 ? pair & 0xFFF : pair >> 4;
    }
    if (bits_ == 16) return little(reader().read(fat_ + cluster * 2, 2), 0, 2);
    return little(reader().read(fat_ + cluster * 4, 4), 0, 4) & 0x0FFFFFFF;
  }

  /// Pieces of a file of so many bytes, neighbours joined.
  std::vector<Window> chain(std::uint64_t cluster, std::uint64_t size) const {
    std::vector<Window> places;
    std::uint64_t steps = 0;
    for (std::uint64_t left = size; left != 0 && cluster >= 2 && cluster < clusters_ + 2;
         cluster = next(cluster)) {
      if (++steps > clusters_) throw Error(Kind::kImage, "a file of the FAT file system goes in a circle");
      const std::uint64_t start = data_ + (cluster - 2) * cluster_;
      const std::uint64_t length = std::min(left, cluster_);
      if (!places.empty() && places.back().offset + places.back().size == start) {
        places.back().size += length;
      } else {
        places.push_back({{}, start, length});
      }
      left -= length;
    }
    return places;
  }

  std::string read_chain(std::uint64_t cluster) const {
    std::string bytes;
    for (const Window& place : chain(cluster, kMostDirectory))
      bytes += reader().read(place.offset, static_cast<std::size_t>(place.size));
    return bytes;
  }

  void read_directory(const std::string& path, const std::string& bytes, int depth) {
    if (depth > kDeepest) throw Error(Kind::kImage, "the directories of the FAT file system are too deep");
    std::string long_name;
    for (std::size_t at = 0; at + kEntry <= bytes.size() && bytes[at] != '\0'; at += kEntry) {
      cancel().check();
      const std::string_view entry = std::string_view(bytes).substr(at, kEntry);
      const unsigned attributes = static_cast<unsigned char>(entry[11]);
      if (entry[0] == '\xE5') {
        long_name.clear();
      } else if (attributes == kLongName) {
        long_name = long_part(entry) + long_name;
      } else {
        const std::string name = long_name.empty() ? short_name(entry) : show(Show::kUtf16, long_name);
        long_name.clear();
        if (!entry.starts_with(".")) add_entry(path + name, entry, attributes, depth);
      }
    }
  }

  void add_entry(const std::string& path, std::string_view entry, unsigned attributes, int depth) {
    const std::uint64_t first = little(entry, 20, 2) << 16 | little(entry, 26, 2);
    const bool is_plain = (attributes & (kVolumeLabel | kDirectory)) == 0;
    Member member{.fields = {{"type", is_plain                         ? "file"
                                      : (attributes & kDirectory) != 0 ? "directory"
                                                                       : "volume label"},
                             {"DIR_Name", short_name(entry)},
                             {"DIR_Attr", fmt::format("{:#x}", attributes)},
                             {"DIR_CrtTime",
                              fmt::format("{} +{}0 ms", date_text(little(entry, 16, 2), little(entry, 14, 2)),
                                          little(entry, 13, 1))},
                             {"DIR_LstAccDate", date_text(little(entry, 18, 2), 0)},
                             {"DIR_WrtTime", date_text(little(entry, 24, 2), little(entry, 22, 2))},
                             {"DIR_FstClus", std::to_string(first)}}};
    if (is_plain) {
      member.size = little(entry, 28, 4);
      std::vector<Window> places = chain(first, member.size);
      return add_file(path, std::move(member), std::move(places));
    }
    add(path, std::move(member));
    if ((attributes & kDirectory) == 0) return;
    if (!seen_.insert(first).second)
      throw Error(Kind::kImage, "the directories of the FAT file system go in a circle");
    read_directory(path + "/", read_chain(first), depth + 1);
  }

  std::uint64_t cluster_ = 0;   ///< bytes
  std::uint64_t fat_ = 0;       ///< offset of the first file allocation table
  std::uint64_t data_ = 0;      ///< offset of cluster 2
  std::uint64_t clusters_ = 0;  ///< how many
  int bits_ = 12;               ///< of an entry of the table
  std::set<std::uint64_t> seen_;
};

}  // namespace

std::unique_ptr<MemberSource> fat_members(const Window& window, const CompareTools& tools) {
  return std::make_unique<FatMembers>(window, tools);
}

}  // namespace imgforge::compare
