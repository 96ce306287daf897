#include "builder/compare/report/report.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

std::string side(const std::optional<std::string>& value) {
  return value ? core::escaped(*value) : "(absent)";
}

void write(const Node& node, const std::string& indent, std::string& text) {
  text += indent + core::escaped(node.name) + (node.kind.empty() ? "" : " (" + node.kind + ")") + "\n";
  const std::string inner = indent + "  ";
  if (!node.note.empty()) text += fmt::format("{}not looked into: {}\n", inner, core::escaped(node.note));
  for (const Difference& row : node.differences)
    text +=
        fmt::format("{}{}: {} -> {}\n", inner, core::escaped(row.field), side(row.before), side(row.after));
  for (const Node& part : node.parts) write(part, inner, text);
  if (node.omitted != 0) text += fmt::format("{}... and {} more\n", inner, node.omitted);
}

core::Json value_of(const std::optional<std::string>& value) {
  return value ? core::Json(core::escaped(*value)) : core::Json();
}

}  // namespace

void Node::add(std::string field, std::optional<std::string> before, std::optional<std::string> after) {
  if (differences.size() >= kMostDifferences) {
    ++omitted;
    return;
  }
  differences.push_back({std::move(field), std::move(before), std::move(after)});
}

void Node::add(Node part) {
  if (part.empty()) return;
  if (!has_room()) {
    ++omitted;
    return;
  }
  parts.push_back(std::move(part));
}

std::string as_text(const Node& node) {
  std::string text;
  write(node, "", text);
  return text;
}

core::Json as_json(const Node& node) {
  core::Json differences = core::Json::array();
  for (const Difference& row : node.differences)
    differences.push_back({{"field", core::escaped(row.field)},
                           {"before", value_of(row.before)},
                           {"after", value_of(row.after)}});
  core::Json parts = core::Json::array();
  for (const Node& part : node.parts) parts.push_back(as_json(part));
  return {{"name", core::escaped(node.name)}, {"kind", node.kind},
          {"note", core::escaped(node.note)}, {"differences", std::move(differences)},
          {"parts", std::move(parts)},        {"omitted", node.omitted}};
}

}  // namespace imgforge::compare
