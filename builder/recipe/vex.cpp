#include "builder/recipe/vex.hpp"

#include <fmt/format.h>

#include <string_view>

#include "builder/recipe/typing.hpp"

namespace imgforge::recipe {
namespace {

std::string text_or_empty(const Node& item, std::string_view key) {
  const Node* value = item.find(key);
  return value == nullptr ? std::string() : value->text();
}

/// OpenVEX, "Status labels": each status has its explanations, and no others.
void check(const Node& item, const VexStatement& statement) {
  const Node& status = *item.find("status");
  const auto refuse = [&](std::string_view key) {
    const Node* value = item.find(key);
    if (value == nullptr) return;
    throw recipe_error(*value, fmt::format("{} does not go with the status {}", key, statement.status));
  };
  if (statement.status == "not_affected") {
    const bool justified = item.find("justification") != nullptr;
    const Node* impact = item.find("impact_statement");
    if (!justified && impact == nullptr)
      throw recipe_error(status, "not_affected needs a justification or an impact_statement");
    if (justified && impact != nullptr)
      throw recipe_error(*impact, "justification and impact_statement are both given")
          .hint("keep one of them");
    return refuse("action_statement");
  }
  refuse("justification");
  refuse("impact_statement");
  if (statement.status != "affected") return refuse("action_statement");
  if (item.find("action_statement") == nullptr)
    throw recipe_error(status, "affected needs an action_statement: what to do about it");
}

VexStatement read_statement(const Node& item) {
  VexStatement out;
  out.vulnerability = item.find("vulnerability")->text();
  out.mark = item.find("vulnerability")->mark();
  out.package = item.find("package")->text();
  out.status = item.find("status")->text();
  out.justification = text_or_empty(item, "justification");
  out.impact_statement = text_or_empty(item, "impact_statement");
  out.action_statement = text_or_empty(item, "action_statement");
  out.status_notes = text_or_empty(item, "status_notes");
  check(item, out);
  return out;
}

}  // namespace

std::vector<VexStatement> read_vex(const Node& top) {
  std::vector<VexStatement> out;
  for (const Node& item : items_of(top, "vex")) out.push_back(read_statement(item));
  return out;
}

}  // namespace imgforge::recipe
