// Headers of fixed layout, told field by field: a table says what stands where.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "builder/compare/report/report.hpp"

namespace imgforge::compare {

/// How the bytes of a field are shown.
enum class Show {
  kLittle,  ///< number of up to 8 bytes, little-endian
  kBig,     ///< the same, big-endian
  kHex,     ///< little-endian number, in hexadecimal: flags, checksums
  kBytes,   ///< hexadecimal bytes
  kText,    ///< padded text
  kUtf16,   ///< little-endian UTF-16, up to a zero
  kUuid,    ///< RFC 4122, bytes in the order of the text
  kGuid,    ///< the same with its first three parts little-endian, as in GPT
  kTime,    ///< seconds since the epoch, 32 bits little-endian
  kDigits,  ///< date of ECMA-119, 8.4.26.1: sixteen digits and a zone
};

struct Field {
  std::uint32_t offset;
  std::uint32_t size;
  Show show;
  const char* name;
};

/// Notes every field whose bytes differ, and bytes that no field covers. A field beyond the end of a side is
/// absent there.
void compare_fields(Node& node, std::span<const Field> fields, std::string_view before,
                    std::string_view after);

std::string show(Show how, std::string_view bytes);
/// "0a 1b 2c"
std::string hex_text(std::string_view bytes);
/// "2026-11-28T14:00:00Z (1795874400)"
std::string time_text(std::int64_t seconds);
std::uint64_t little(std::string_view bytes, std::size_t offset, std::size_t size);
std::uint64_t big(std::string_view bytes, std::size_t offset, std::size_t size);

}  // namespace imgforge::compare
