// safetensors files (format: safetensors' README and its Rust reader), read strictly: no key twice at any
// level, exactly the three members of a tensor, data without hole, overlap or anything behind it.
#pragma once

#include "builder/models/files/byte_source.hpp"
#include "builder/models/files/summary.hpp"

namespace imgforge::models {

/// Reads the header from the beginning of the file. Throws kIntegrity.
Summary read_safetensors(ByteSource& source);

/// Whether the first bytes of a file can be those of a safetensors file: a possible length, then "{".
bool looks_like_safetensors(std::string_view head, std::uint64_t file_size);

}  // namespace imgforge::models
