// ONNX files recognised by their shape as a protobuf message (onnx.proto, ModelProto): the outer fields are
// walked to the end of the file; graphs are not looked into.
#pragma once

#include <optional>

#include "builder/models/files/byte_source.hpp"
#include "builder/models/files/summary.hpp"

namespace imgforge::models {

/// What the outer message says; nothing when the file is not one.
std::optional<Summary> read_onnx(ByteSource& source);

}  // namespace imgforge::models
