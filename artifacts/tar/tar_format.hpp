// The tar format itself: header blocks, pax records and clean names, shared by reader and writer. It is
// parsed here and not by libarchive because names must keep their bytes (libarchive normalises pax names to
// NFC) and because every oddity is to be refused, not repaired.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "artifacts/tar/tar.hpp"

namespace imgforge::artifacts {

constexpr std::size_t kTarBlock = 512;
using TarBlock = std::array<std::byte, kTarBlock>;

/// Bytes of padding behind content of `size` bytes.
constexpr std::uint64_t tar_padding(std::uint64_t size) {
  return (kTarBlock - size % kTarBlock) % kTarBlock;
}

/// Header block of POSIX.1-2001 ustar (or GNU, which differs in magic and the use of bytes 345 and up).
struct TarHeader {
  std::string name;  ///< prefix and name joined
  std::string link;
  char type = '0';
  std::uint32_t mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t size = 0;
  std::int64_t mtime = 0;
  std::int64_t device_major = 0;
  std::int64_t device_minor = 0;
};

bool is_zero_block(const TarBlock& block);
/// Throws kArchive when magic, checksum or a number is wrong.
TarHeader parse_tar_header(const TarBlock& block);

/// A whole member, padded: a regular file of mode 0644 that belongs to root. `name` must fit the header's
/// field (100 bytes). Neither other members nor an end follow.
std::string tar_member(std::string_view name, std::string_view content, std::int64_t mtime);

using PaxRecords = std::map<std::string, std::string>;
/// Records of an extended header ("<length> <key>=<value>\n"). Throws kArchive on any deviation or a
/// repeated key.
PaxRecords parse_pax_records(std::string_view text);
/// Decimal number of a pax record; a fraction is cut off (times). Throws kArchive.
std::int64_t parse_pax_number(std::string_view key, std::string_view text);

/// Lexically clean relative name: one leading "./" and one final "/" go, the root is ".". Throws kArchive
/// (empty or "." component, too long, NUL) or kUnsafe (absolute, "..", deeper than `depth`).
std::string clean_member_name(std::string_view name, unsigned depth);

/// Folder part of a clean name: "." for names at the top.
std::string parent_of(std::string_view path);

}  // namespace imgforge::artifacts
