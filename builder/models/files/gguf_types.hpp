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

/// Numbers up to here that this table does not have may be types all the same: later ones, those of forks (36
/// to 38 are other types in BitNet's than they were in ggml), and old ones that are gone.
inline constexpr std::uint32_t kLastUnknownType = 255;

/// The type with that id, or nullptr.
const GgufType* find_gguf_type(std::uint32_t id);
/// Types that ggml had for a while: files of them are whole, and no current program loads them.
bool is_removed_gguf_type(std::uint32_t id);
/// Name of a whole file's mixture (`general.file_type`): "Q4_K_M"; empty when it is not known.
std::string_view gguf_file_type(std::uint64_t id);

}  // namespace imgforge::models
