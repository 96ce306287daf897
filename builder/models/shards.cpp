#include "builder/models/shards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "builder/models/model.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxParts = 4096;
constexpr std::array kCompanions{"config.json"sv,
                                 "generation_config.json"sv,
                                 "tokenizer.json"sv,
                                 "tokenizer_config.json"sv,
                                 "special_tokens_map.json"sv,
                                 "tokenizer.model"sv,
                                 "vocab.json"sv,
                                 "vocab.txt"sv,
                                 "merges.txt"sv,
                                 "added_tokens.json"sv,
                                 "preprocessor_config.json"sv,
                                 "chat_template.jinja"sv,
                                 "LICENSE"sv,
                                 "LICENSE.txt"sv,
                                 "LICENSE.md"sv};

}  // namespace

bool is_index_name(std::string_view name) {
  return name.ends_with(".index.json");
}

std::vector<std::string> parts_of_index(std::string_view text, std::string_view what) {
  const auto refused = [&](const std::string& why) {
    return core::Error(core::Kind::kIntegrity, fmt::format("{}: {}", what, why));
  };
  const core::Json index = core::parse_json(text, what, {.bytes = kMaxIndexBytes, .depth = 8});
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object())
    throw refused("it has no weight_map");
  std::set<std::string> parts;
  for (const auto& [tensor, value] : index.at("weight_map").items()) {
    if (!value.is_string()) throw refused("weight_map has a value that is no name");
    const std::string part = value.get<std::string>();
    if (!is_clean_path(part) || part.find('/') != std::string::npos)
      throw refused("weight_map names \"" + core::escaped(part, 80) + "\", which is no plain file name");
    parts.insert(part);
  }
  if (parts.empty() || parts.size() > kMaxParts) throw refused("weight_map names no parts, or too many");
  return {parts.begin(), parts.end()};
}

std::vector<std::string> gguf_parts(std::string_view name) {
  constexpr std::string_view ending = ".gguf";
  constexpr std::size_t tail = 15;  // "-00002-of-00005"
  if (!name.ends_with(ending) || name.size() <= ending.size() + tail) return {};
  const std::string_view stem = name.substr(0, name.size() - ending.size() - tail);
  const std::string_view count = name.substr(stem.size(), tail);
  if (count[0] != '-' || count.substr(6, 4) != "-of-") return {};
  unsigned number = 0;
  unsigned all = 0;
  const auto read = [](std::string_view digits, unsigned& value) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  if (!read(count.substr(1, 5), number) || !read(count.substr(10, 5), all) || number == 0 || number > all ||
      all > kMaxParts)
    return {};
  std::vector<std::string> names;
  for (unsigned i = 1; i <= all; ++i) names.push_back(fmt::format("{}-{:05}-of-{:05}.gguf", stem, i, all));
  return names;
}

bool is_companion(std::string_view name) {
  return std::find(kCompanions.begin(), kCompanions.end(), name) != kCompanions.end();
}

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash + 1));
}

std::string name_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace imgforge::models
