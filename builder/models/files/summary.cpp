#include "builder/models/files/summary.hpp"

#include <algorithm>
#include <array>

namespace imgforge::models {
namespace {

constexpr std::array<std::pair<Format, std::string_view>, 4> kNames{{{Format::kGguf, "gguf"},
                                                                     {Format::kSafetensors, "safetensors"},
                                                                     {Format::kOnnx, "onnx"},
                                                                     {Format::kRaw, "raw"}}};

}  // namespace

std::string_view format_name(Format format) {
  for (const auto& [value, name] : kNames) {
    if (value == format) return name;
  }
  return "?";
}

std::optional<Format> find_format(std::string_view name) {
  for (const auto& [value, word] : kNames) {
    if (word == name) return value;
  }
  return std::nullopt;
}

void count_tensor(Summary& summary, std::string_view type, std::uint64_t elements, std::uint64_t bytes) {
  ++summary.tensors;
  summary.parameters = summary.parameters.value_or(0) + elements;
  for (TensorType& row : summary.types) {
    if (row.name != type) continue;
    ++row.tensors;
    row.elements += elements;
    row.bytes += bytes;
    return;
  }
  summary.types.push_back({std::string(type), 1, elements, bytes});
}

void sort_types(Summary& summary) {
  std::stable_sort(summary.types.begin(), summary.types.end(),
                   [](const TensorType& a, const TensorType& b) { return a.bytes > b.bytes; });
}

}  // namespace imgforge::models
