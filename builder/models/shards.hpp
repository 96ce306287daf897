// Models of several files: the index of a sharded safetensors or PyTorch model names its parts, the names of
// a split GGUF file count them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::models {

constexpr std::uint64_t kMaxIndexBytes = 64u << 20;

/// True for "model.safetensors.index.json" and the like.
bool is_index_name(std::string_view name);
/// Names of the parts that an index's `weight_map` lists, sorted. They must be plain names of files: they lie
/// beside the index. Throws kIntegrity.
std::vector<std::string> parts_of_index(std::string_view text, std::string_view what);
/// All names of the set that "x-00002-of-00005.gguf" belongs to, in order; empty for another name.
std::vector<std::string> gguf_parts(std::string_view name);
/// Files that clients want beside the weights: configuration and tokenizer.
bool is_companion(std::string_view name);

/// "dir/" of "dir/name"; empty when there is no slash.
std::string folder_of(std::string_view path);
std::string name_of(std::string_view path);

}  // namespace imgforge::models
