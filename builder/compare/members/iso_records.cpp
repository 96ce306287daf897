#include "builder/compare/members/iso_records.hpp"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "builder/compare/report/fields.hpp"
#include "core/error.hpp"

namespace imgforge::compare {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kSector = 2048;
constexpr std::uint64_t kVolume = 16 * kSector;
constexpr std::size_t kRootRecord = 156;
constexpr std::uint64_t kMostDirectory = 64u << 20;
constexpr int kDeepest = 64;

/// The name and attributes that Rock Ridge adds.
void read_rock_ridge(std::string_view area, IsoRecord& record) {
  std::string name;
  while (area.size() >= 4) {
    const std::size_t length = static_cast<unsigned char>(area[2]);
    if (length < 4 || length > area.size()) break;
    const std::string_view entry = area.substr(0, length);
    if (entry.starts_with("NM") && length > 5) name += entry.substr(5);
    if (entry.starts_with("PX") && length >= 36) {
      record.fields.emplace_back("mode", fmt::format("{:07o}", little(entry, 4, 4)));
      record.fields.emplace_back("links", std::to_string(little(entry, 12, 4)));
      record.fields.emplace_back("uid", std::to_string(little(entry, 20, 4)));
      record.fields.emplace_back("gid", std::to_string(little(entry, 28, 4)));
      if (length >= 44)
        record.fields.emplace_back("file serial number", std::to_string(little(entry, 36, 4)));
    }
    if (entry.starts_with("TF")) record.fields.emplace_back("times (TF)", hex_text(entry.substr(4)));
    if (entry.starts_with("SL")) record.fields.emplace_back("link (SL)", show(Show::kText, entry.substr(5)));
    area.remove_prefix(length);
  }
  if (!name.empty()) record.name = name;
}

/// "2026-11-28 14:00:00 +0" (9.1.5: years since 1900 ... zone in quarters of an hour)
std::string recording_time(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} {:+}", 1900 + at(0), at(1), at(2), at(3), at(4),
                     at(5), static_cast<signed char>(bytes[6]));
}

std::optional<IsoRecord> read_record(std::string_view bytes) {
  const std::size_t length = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  if (length < 34 || length > bytes.size()) return std::nullopt;
  const std::string_view text = bytes.substr(0, length);
  const std::size_t name_size = static_cast<unsigned char>(text[32]);
  if (33 + name_size > length) return std::nullopt;
  IsoRecord record;
  record.name = text.substr(33, name_size);
  if (const std::size_t version = record.name.find(';'); version != std::string::npos)
    record.name.resize(version);
  record.extent = little(text, 2, 4) * kSector;
  record.size = little(text, 10, 4);
  record.is_directory = (text[25] & 2) != 0;
  record.fields = {{"type", record.is_directory ? "directory" : "file"},
                   {"location of extent", std::to_string(little(text, 2, 4))},
                   {"recording date and time", recording_time(text.substr(18, 7))},
                   {"file flags", std::to_string(text[25])}};
  const std::size_t system_use = 33 + name_size + (name_size % 2 == 0 ? 1 : 0);
  if (system_use < length) read_rock_ridge(text.substr(system_use), record);
  return record;
}

class Walk {
 public:
  Walk(const ReadIso& read, const core::CancelToken& cancel, const VisitIso& visit)
      : read_(read), cancel_(cancel), visit_(visit) {}

  void run() {
    const auto root = read_record(read_(kVolume + kRootRecord, 34));
    if (!root) throw Error(Kind::kImage, "the ISO image has no root directory");
    read_directory("", *root, 0);
  }

 private:
  void read_directory(const std::string& path, const IsoRecord& directory, int depth) {
    if (depth > kDeepest || !seen_.insert(directory.extent).second)
      throw Error(Kind::kImage, "the directories of the ISO image go in a circle");
    if (directory.size > kMostDirectory)
      throw Error(Kind::kImage, "a directory of the ISO image is too large");
    const std::string bytes = read_(directory.extent, static_cast<std::size_t>(directory.size));
    for (std::size_t at = 0; at < bytes.size();) {
      cancel_.check();
      const auto record = read_record(std::string_view(bytes).substr(at));
      if (!record) {  // records do not cross sectors
        at = (at / kSector + 1) * kSector;
        continue;
      }
      at += static_cast<unsigned char>(bytes[at]);
      if (record->name.size() == 1 && static_cast<unsigned char>(record->name[0]) < 2)
        continue;  // "." and ".."
      visit_(path + record->name, *record);
      if (record->is_directory) read_directory(path + record->name + "/", *record, depth + 1);
    }
  }

  const ReadIso& read_;
  const core::CancelToken& cancel_;
  const VisitIso& visit_;
  std::set<std::uint64_t> seen_;
};

}  // namespace

void visit_iso(const ReadIso& read, const core::CancelToken& cancel, const VisitIso& visit) {
  Walk(read, cancel, visit).run();
}

}  // namespace imgforge::compare
