#include "builder/fetch/apk/tar_segment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::size_t kBlock = 512;

core::Error broken(std::string_view what, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", what, why));
}

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; });
}

/// Octal digits, possibly with blanks before and a blank or NUL after.
std::optional<std::uint64_t> octal(std::string_view field) {
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  while (!field.empty() && (field.back() == ' ' || field.back() == '\0')) field.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (field.empty() || code != std::errc() || end != field.data() + field.size()) return std::nullopt;
  return value;
}

/// Sum of the header's bytes with the checksum field read as blanks.
std::uint64_t header_sum(std::string_view header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? std::uint64_t{' '} : static_cast<unsigned char>(header[i]);
  }
  return sum;
}

/// Pax records that would change which file this is are refused; times and checksums are of no interest here.
void check_pax(std::string_view records, std::string_view what) {
  for (const std::string& line : core::split(records, '\n')) {
    if (line.empty()) continue;
    const auto blank = line.find(' ');
    const auto equals = line.find('=');
    if (blank == std::string::npos || equals == std::string::npos || equals < blank) {
      throw broken(what, "malformed pax record");
    }
    const std::string key = line.substr(blank + 1, equals - blank - 1);
    if (key == "path" || key == "linkpath" || key == "size" || key.starts_with("GNU.")) {
      throw broken(what, "unexpected pax record \"" + core::escaped(key, 40) + "\"");
    }
  }
}

}  // namespace

std::vector<SegmentFile> read_tar_segment(std::string_view bytes, std::string_view what) {
  std::vector<SegmentFile> files;
  while (!bytes.empty()) {
    if (bytes.size() < kBlock) throw broken(what, "not a whole number of tar blocks");
    const std::string_view header = bytes.substr(0, kBlock);
    if (all_zero(header)) {
      if (!all_zero(bytes)) throw broken(what, "data after the end of the tar archive");
      break;
    }
    if (octal(header.substr(148, 8)) != header_sum(header)) throw broken(what, "not a tar archive");
    const std::optional<std::uint64_t> size = octal(header.substr(124, 12));
    bytes.remove_prefix(kBlock);
    if (!size || *size > bytes.size()) throw broken(what, "a tar member is cut off");
    const std::uint64_t padded = (*size + kBlock - 1) / kBlock * kBlock;
    if (padded > bytes.size()) throw broken(what, "a tar member is cut off");
    const std::string_view content = bytes.substr(0, static_cast<std::size_t>(*size));
    const char type = header[156];
    if (type == 'x') {
      check_pax(content, what);
    } else if (type == '0' || type == '\0') {
      const std::string_view name = header.substr(0, 100);
      files.push_back({std::string(name.substr(0, name.find('\0'))), std::string(content),
                       octal(header.substr(136, 12)).value_or(0)});
    } else {
      throw broken(what,
                   fmt::format("unexpected tar member of type \"{}\"", core::escaped(std::string(1, type))));
    }
    bytes.remove_prefix(static_cast<std::size_t>(padded));
  }
  return files;
}

}  // namespace imgforge::fetch
