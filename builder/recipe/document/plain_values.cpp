#include "builder/recipe/document/plain_values.hpp"

#include <charconv>

#include "core/text.hpp"

namespace imgforge::recipe {

using core::Error;
using core::Kind;

Error usage_error(const Node& node, std::string message) {
  return std::move(Error(Kind::kUsage, std::move(message)).at(node.mark()));
}

std::string word(const Node& node) {
  if (node.kind() != NodeKind::kScalar || node.is_missing() || node.text().empty())
    throw usage_error(node, "a word is expected here");
  return node.text();
}

bool yes_or_no(const Node& node) {
  const std::string text = word(node);
  if (text != "true" && text != "false") throw usage_error(node, "true or false is expected here");
  return text == "true";
}

unsigned number(const Node& node, unsigned low, unsigned high) {
  const std::string text = word(node);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    throw usage_error(
        node, "a number from " + std::to_string(low) + " to " + std::to_string(high) + " is expected here");
  return value;
}

std::vector<std::string> words(const Node& node, Empty empty) {
  if (node.kind() != NodeKind::kSequence) throw usage_error(node, "a list is expected here");
  if (node.items().empty() && empty == Empty::kRefused)
    throw usage_error(node, "an empty list would ask for nothing");
  std::vector<std::string> out;
  for (const Node& item : node.items()) out.push_back(word(item));
  return out;
}

Error unknown_field(const Node& key, const std::vector<std::string>& names) {
  Error error = usage_error(key, "unknown field \"" + core::escaped(key.text(), 60) + "\"");
  const std::string near = core::nearest_word(key.text(), names);
  if (!near.empty()) error.hint("did you mean \"" + near + "\"?");
  return error;
}

}  // namespace imgforge::recipe
