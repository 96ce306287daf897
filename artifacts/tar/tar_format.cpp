#include "artifacts/tar/tar_format.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kMaxComponent = 255;  // NAME_MAX
constexpr std::size_t kMaxPath = 4095;      // PATH_MAX without the final NUL

/// Offsets and lengths of the header fields (POSIX.1-2001, pax, "ustar Interchange Format").
struct Field {
  std::size_t offset;
  std::size_t length;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kMtime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr Field kType{156, 1};
constexpr Field kLink{157, 100};
constexpr Field kMagic{257, 8};
constexpr Field kMajor{329, 8};
constexpr Field kMinor{337, 8};
constexpr Field kPrefix{345, 155};

std::string_view raw(const TarBlock& block, Field field) {
  return {reinterpret_cast<const char*>(block.data()) + field.offset, field.length};
}

std::string text_of(const TarBlock& block, Field field) {
  const std::string_view bytes = raw(block, field);
  return std::string(bytes.substr(0, bytes.find('\0')));
}

/// GNU base-256: the first bit says so, the others are a two's complement number, most significant first.
std::int64_t base256_of(std::string_view bytes, const char* what) {
  const auto first = static_cast<unsigned char>(bytes.front());
  const bool negative = (first & 0x40) != 0;
  std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto byte = static_cast<unsigned char>(bytes[i]);
    if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80 : byte & 0x7f);
    const unsigned char lost = negative ? 0xff : 0;
    if (bytes.size() - i > sizeof(value)) {
      if (byte != lost) throw Error(Kind::kArchive, std::string("the ") + what + " is out of range");
      continue;
    }
    value = (value << 8) | byte;
  }
  const auto result = static_cast<std::int64_t>(value);
  if ((result < 0) != negative) throw Error(Kind::kArchive, std::string("the ") + what + " is out of range");
  return result;
}

std::int64_t number_of(const TarBlock& block, Field field, const char* what) {
  std::string_view text = raw(block, field);
  if ((static_cast<unsigned char>(text.front()) & 0x80) != 0) return base256_of(text, what);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  text = text.substr(0, text.find_first_of(std::string_view(" \0", 2)));
  if (text.empty()) return 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    throw Error(Kind::kArchive, std::string("the ") + what + " is not an octal number");
  }
  return value;
}

void check_checksum(const TarBlock& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool in_field = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    sum += in_field ? ' ' : std::to_integer<unsigned char>(block[i]);
  }
  if (number_of(block, kChecksum, "header checksum") != sum) {
    throw Error(Kind::kArchive, "wrong header checksum");
  }
}

}  // namespace

bool is_zero_block(const TarBlock& block) {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

TarHeader parse_tar_header(const TarBlock& block) {
  const std::string_view magic = raw(block, kMagic);
  const bool posix = magic == std::string_view("ustar\00000", 8);
  const bool gnu = magic == std::string_view("ustar  \0", 8);
  if (!posix && !gnu) throw Error(Kind::kArchive, "no ustar header");
  check_checksum(block);
  TarHeader header;
  header.name = text_of(block, kName);
  const std::string prefix = posix ? text_of(block, kPrefix) : std::string();
  if (!prefix.empty()) header.name = prefix + "/" + header.name;
  header.link = text_of(block, kLink);
  header.type = raw(block, kType).front();
  // Some writers add the S_IFMT bits of stat(2) to the permissions.
  const std::int64_t mode = number_of(block, kMode, "mode");
  if (mode < 0 || mode > 0177777) throw Error(Kind::kArchive, "the mode has unknown bits");
  header.mode = static_cast<std::uint32_t>(mode) & 07777U;
  header.uid = number_of(block, kUid, "user id");
  header.gid = number_of(block, kGid, "group id");
  header.size = number_of(block, kSize, "size");
  header.mtime = number_of(block, kMtime, "time");
  header.device_major = number_of(block, kMajor, "device number");
  header.device_minor = number_of(block, kMinor, "device number");
  return header;
}

PaxRecords parse_pax_records(std::string_view text) {
  const auto malformed = [] { return Error(Kind::kArchive, "malformed pax extended header"); };
  PaxRecords records;
  while (!text.empty()) {
    std::size_t length = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length, 10);
    const auto digits = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length > text.size() || length < digits + 4 || text[digits] != ' ') {
      throw malformed();
    }
    const std::string_view record = text.substr(digits + 1, length - digits - 1);
    const std::size_t equals = record.find('=');
    if (record.back() != '\n' || equals == 0 || equals == std::string_view::npos) throw malformed();
    const std::string key(record.substr(0, equals));
    if (!records.emplace(key, record.substr(equals + 1, record.size() - equals - 2)).second) {
      throw Error(Kind::kArchive, "pax record " + core::escaped(key, 60) + " given twice");
    }
    text.remove_prefix(length);
  }
  return records;
}

std::int64_t parse_pax_number(std::string_view key, std::string_view text) {
  const auto malformed = [&] {
    return Error(Kind::kArchive,
                 "pax record " + std::string(key) + " is not a number: " + core::escaped(text, 60));
  };
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (error != std::errc()) throw malformed();
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (rest.empty()) return value;
  if (rest.front() != '.' || rest.find_first_not_of("0123456789", 1) != std::string_view::npos)
    throw malformed();
  // Whole seconds at or before the instant.
  const bool has_fraction = rest.find_first_not_of('0', 1) != std::string_view::npos;
  if (text.front() != '-' || !has_fraction) return value;
  if (value == std::numeric_limits<std::int64_t>::min()) throw malformed();
  return value - 1;
}

std::string clean_member_name(std::string_view name, unsigned depth) {
  const auto fail = [&](Kind kind, const std::string& why) {
    return Error(kind, "member \"" + core::escaped(name, 200) + "\": " + why);
  };
  std::string_view rest = name;
  if (rest.empty()) throw fail(Kind::kArchive, "empty name");
  if (rest.front() == '/') throw fail(Kind::kUnsafe, "absolute name");
  if (rest.find('\0') != std::string_view::npos) throw fail(Kind::kArchive, "name with a NUL byte");
  if (rest.starts_with("./")) rest.remove_prefix(2);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest == ".") return ".";
  unsigned components = 0;
  for (std::size_t begin = 0; begin <= rest.size();) {
    const std::size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string_view component = rest.substr(begin, end - begin);
    if (component == "..") throw fail(Kind::kUnsafe, "the name leads out of the archive (\"..\")");
    if (component.empty() || component == ".") throw fail(Kind::kArchive, "name with an empty component");
    if (component.size() > kMaxComponent) throw fail(Kind::kArchive, "name component longer than 255 bytes");
    if (++components > depth) {
      throw fail(Kind::kUnsafe, "nested deeper than " + std::to_string(depth) + " folders");
    }
    begin = end + 1;
  }
  if (rest.size() > kMaxPath) throw fail(Kind::kArchive, "name longer than 4095 bytes");
  return std::string(rest);
}

std::string parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(path.substr(0, slash));
}

}  // namespace imgforge::artifacts
