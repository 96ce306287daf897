// Headers of AI models, and what registries of them answer.
#include "builder/models/files/byte_source.hpp"
#include "builder/models/files/gguf.hpp"
#include "builder/models/files/onnx.hpp"
#include "builder/models/files/safetensors.hpp"
#include "builder/models/sources/registry_http.hpp"
#include "fuzz/table.hpp"
#include "fuzz/target.hpp"

namespace imgforge::fuzz {

void gguf(std::string_view bytes) {
  models::ByteSource source(file_of(bytes), "input");
  models::read_gguf(source);
}

void onnx(std::string_view bytes) {
  models::ByteSource source(file_of(bytes), "input");
  models::read_onnx(source);
}

void safetensors(std::string_view bytes) {
  models::ByteSource source(file_of(bytes), "input");
  models::read_safetensors(source);
}

void registry_challenge(std::string_view bytes) {
  models::parse_challenge(bytes);
}

}  // namespace imgforge::fuzz
