// What the header of a model file says, in the words of people: the result of all readers of this folder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::models {

enum class Format { kGguf, kSafetensors, kOnnx, kRaw };

/// "gguf", "safetensors", "onnx", "raw".
std::string_view format_name(Format format);
/// The other way round; nothing for another word.
std::optional<Format> find_format(std::string_view name);

/// The tensors of one type.
struct TensorType {
  std::string name;  ///< "Q4_K", "BF16", ...
  std::uint64_t tensors = 0;
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;
};

/// What a file, or all files of a model together, hold. Texts come from the file: escape them before
/// printing.
struct Summary {
  Format format = Format::kRaw;
  std::uint64_t size = 0;      ///< bytes
  std::string format_version;  ///< "3"
  std::string name;
  std::string architecture;                     ///< "llama"; empty: not said
  std::optional<std::uint64_t> parameters;      ///< elements of all tensors
  std::optional<std::uint64_t> context_length;  ///< tokens
  std::string quantization;                     ///< "Q4_K_M", "BF16"
  std::string tokenizer;
  std::string licence;
  std::uint64_t tensors = 0;
  std::vector<TensorType> types;             ///< most bytes first
  std::string chat_template_sha256;          ///< hex; a template is a program that clients run
  std::map<std::string, std::string> notes;  ///< further short texts: "__metadata__", producer, shard
  std::vector<std::string> warnings;         ///< for people: what was let pass and why it matters
};

/// Adds tensors of a type to the counts; `sort_types` brings them into order.
void count_tensor(Summary& summary, std::string_view type, std::uint64_t elements, std::uint64_t bytes);
void sort_types(Summary& summary);

}  // namespace imgforge::models
