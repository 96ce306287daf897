// Makes GGUF and safetensors files for tests, right ones and wrong ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::testing {

/// A number as `bytes` little-endian bytes.
inline std::string le(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

inline std::string gguf_text(std::string_view text) {
  return le(text.size(), 8) + std::string(text);
}

enum GgufValue : std::uint32_t {
  kGgufI32 = 5,
  kGgufU32 = 4,
  kGgufBool = 7,
  kGgufText = 8,
  kGgufList = 9,
  kGgufU64 = 10
};

inline std::string gguf_pair(std::string_view key, std::uint32_t type, const std::string& value) {
  return gguf_text(key) + le(type, 4) + value;
}

struct GgufTensor {
  std::string name = "t";
  std::vector<std::uint64_t> dimensions = {4, 2};
  std::uint32_t type = 0;
  std::uint64_t offset = 0;
};

/// A file as it should be unless a member says otherwise: one F32 tensor of 32 bytes.
struct GgufFile {
  std::string magic = "GGUF";
  std::string version = le(3, 4);
  std::vector<std::string> pairs = {gguf_pair("general.architecture", kGgufText, gguf_text("llama"))};
  std::vector<GgufTensor> tensors = {GgufTensor{}};
  std::string data = std::string(32, '\0');
  std::uint64_t pair_count = ~std::uint64_t{0};    ///< ~0: as many as there are
  std::uint64_t tensor_count = ~std::uint64_t{0};  ///< likewise
  std::uint64_t alignment = 32;

  std::string bytes() const {
    std::string out = magic + version +
                      le(tensor_count == ~std::uint64_t{0} ? tensors.size() : tensor_count, 8) +
                      le(pair_count == ~std::uint64_t{0} ? pairs.size() : pair_count, 8);
    for (const std::string& pair : pairs) out += pair;
    for (const GgufTensor& tensor : tensors) {
      out += gguf_text(tensor.name) + le(tensor.dimensions.size(), 4);
      for (const std::uint64_t extent : tensor.dimensions) out += le(extent, 8);
      out += le(tensor.type, 4) + le(tensor.offset, 8);
    }
    if (alignment != 0) out.resize((out.size() + alignment - 1) / alignment * alignment, '\0');
    return out + data;
  }
};

/// A whole small language model's header: architecture, context, tokenizer, two tensor types.
inline GgufFile small_llama() {
  GgufFile file;
  file.pairs = {gguf_pair("general.architecture", kGgufText, gguf_text("llama")),
                gguf_pair("general.name", kGgufText, gguf_text("Tiny")),
                gguf_pair("general.license", kGgufText, gguf_text("mit")),
                gguf_pair("general.file_type", kGgufU32, le(15, 4)),
                gguf_pair("llama.context_length", kGgufU32, le(2048, 4)),
                gguf_pair("tokenizer.ggml.model", kGgufText, gguf_text("gpt2")),
                gguf_pair("tokenizer.ggml.tokens", kGgufList,
                          le(kGgufText, 4) + le(2, 8) + gguf_text("<s>") + gguf_text("</s>")),
                gguf_pair("tokenizer.ggml.add_bos_token", kGgufBool, le(1, 1)),
                gguf_pair("tokenizer.chat_template", kGgufText, gguf_text("{{ messages }}"))};
  file.tensors = {{"token_embd.weight", {256, 2}, 12, 0}, {"output_norm.weight", {256}, 0, 288}};
  file.data = std::string(288 + 1024, '\x01');
  return file;
}

/// A safetensors file out of its header's text, padded with blanks as the format's own writer does.
inline std::string safetensors_file(std::string header, const std::string& data) {
  header.resize((header.size() + 7) / 8 * 8, ' ');
  return le(header.size(), 8) + header + data;
}

inline std::string safetensors_tensor(std::string_view name, std::uint64_t begin, std::uint64_t end,
                                      std::string_view shape = "[2,2]", std::string_view type = "\"F32\"") {
  return "\"" + std::string(name) + "\":{\"dtype\":" + std::string(type) +
         ",\"shape\":" + std::string(shape) + ",\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(end) + "]}";
}

}  // namespace imgforge::testing
