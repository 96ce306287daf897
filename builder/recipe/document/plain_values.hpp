// Values of small YAML files that are no recipes (policies, groups of machines): one word, a number, a list.
// What is something else is refused with its place, kUsage.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/recipe/document/document.hpp"

namespace imgforge::recipe {

/// kUsage that points at `node`.
core::Error usage_error(const Node& node, std::string message);

/// A scalar that says something.
std::string word(const Node& node);
bool yes_or_no(const Node& node);
unsigned number(const Node& node, unsigned low, unsigned high);
enum class Empty { kRefused, kAllowed };
std::vector<std::string> words(const Node& node, Empty empty = Empty::kRefused);

/// Runs what has its own words for what is wrong; its error points at `node`.
template <class Read>
auto at_place(const Node& node, Read&& read) {
  try {
    return read(word(node));
  } catch (core::Error& error) {
    error.at(node.mark());
    throw;
  }
}

/// Who reads each field of a mapping into `Target`.
template <class Target>
using Fields = std::map<std::string, std::function<void(Target&, const Node&)>, std::less<>>;

/// The error about a field that `names` does not have, with the nearest one as hint.
core::Error unknown_field(const Node& key, const std::vector<std::string>& names);

template <class Target>
void read_fields(Target& target, const Node& mapping, const Fields<Target>& fields) {
  if (mapping.kind() != NodeKind::kMapping) throw usage_error(mapping, "fields are expected here");
  for (const Entry& entry : mapping.entries()) {
    const auto field = fields.find(entry.key.text());
    if (field != fields.end()) {
      field->second(target, entry.value);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& [name, read] : fields) names.push_back(name);
    throw unknown_field(entry.key, names);
  }
}

/// The mistakes of a document are those of a recipe; here they are a wrong argument.
template <class Read>
auto as_usage(Read&& read) {
  try {
    return read();
  } catch (const core::Error& error) {
    if (error.kind() != core::Kind::kRecipe) throw;
    core::Error usage(core::Kind::kUsage, error.message());
    if (error.mark()) usage.at(*error.mark());
    usage.hint(error.hint());
    throw std::move(usage);
  }
}

}  // namespace imgforge::recipe
