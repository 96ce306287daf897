// GGUF files, versions 2 and 3 (specification: ggml's docs/gguf.md), read strictly: every length is checked
// against the file before it is used, every sum for overflow, and the tensors must fill the data without gap,
// overlap or anything behind them. Nothing of the data itself is read.
#pragma once

#include "builder/models/files/byte_source.hpp"
#include "builder/models/files/summary.hpp"

namespace imgforge::models {

/// Reads the header from the beginning of the file. Throws kIntegrity with the offset and the field.
Summary read_gguf(ByteSource& source);

}  // namespace imgforge::models
