// What a model file is, by its bytes: names are never trusted. Files that run code when they are loaded
// (pickles, and the containers that carry them) are refused, and so is what a failed download leaves in a
// model's place.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "builder/models/files/byte_source.hpp"
#include "builder/models/files/summary.hpp"

namespace imgforge::models {

/// Whether a file that can carry code may pass, because the user named it.
enum class Code { kRefuse, kAllow };

/// Why a file can carry code or hide it ("a Python pickle"); empty: it cannot, as far as bytes tell.
std::string code_carrier(const ByteSource& source);

/// Looks at a file and reads its header. `name` is what the model calls it: its ending (.gguf, .safetensors,
/// .onnx) must agree with the content, and so must `wanted`. Throws kIntegrity for damage or another
/// format, kUnsafe for what can carry code.
Summary inspect_file(const std::filesystem::path& file, const std::string& name,
                     std::optional<Format> wanted = {}, Code code = Code::kRefuse);

}  // namespace imgforge::models
