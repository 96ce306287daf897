// The tensor types of GGUF files (ggml's enumerations): how many elements make a block and how many bytes a
// block takes.
#pragma once

#include <cstdint>
#include <string_view>

namespace imgforge::models {

struct GgufType {
  std::uint32_t id;
  std::string_view name;
  std::uint32_t block_elements;
  std::uint32_t block_bytes;
};

/// Ids from here on to kLastUnknownType are let pass with a warning when they are not in the table: new ones
/// appear there.
inline constexpr std::uint32_t kFirstUnknownType = 40;
inline constexpr std::uint32_t kLastUnknownType = 255;

/// The type with that id, or nullptr.
const GgufType* find_gguf_type(std::uint32_t id);
/// Name of a whole file's mixture (`general.file_type`): "Q4_K_M"; empty when it is not known.
std::string_view gguf_file_type(std::uint64_t id);

}  // namespace imgforge::models
