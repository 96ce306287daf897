#include "builder/recipe/first_boot.hpp"

#include <fmt/format.h>

#include <limits>

#include "builder/recipe/layers.hpp"
#include "builder/recipe/values/types.hpp"

namespace imgforge::recipe {
namespace {

constexpr const char* kSection = "first_boot";

/// The section with nothing but defaults.
Node all_defaults() {
  const Node key = Node::scalar(kSection, ScalarStyle::kPlain, {});
  return *with_defaults(Node::mapping({Entry{key, Node::mapping({}, {})}}, {})).find(kSection);
}

unsigned number_up_to(const Node& section, const char* key, unsigned least, unsigned most) {
  const Node& node = *section.find(key);
  const std::uint32_t number = read_number(node);
  if (number >= least && number <= most) return number;
  throw recipe_error(node,
                     fmt::format("first_boot.{} must be from {} to {}, not {}", key, least, most, number));
}

}  // namespace

std::optional<FirstBoot> read_first_boot(const Node& top, const std::string& name) {
  const Node* found = top.find(kSection);
  if (found == nullptr) return std::nullopt;
  const bool plain = found->kind() == NodeKind::kScalar;
  if (plain && found->text() == "false") return std::nullopt;
  const Node section = plain ? all_defaults() : *found;
  FirstBoot out;
  const auto text_or = [&](const char* key, std::string fallback) {
    const Node* node = section.find(key);
    return node == nullptr ? fallback : node->text();
  };
  out.name = text_or("name", name);
  for (const Node& question : section.find("questions")->items()) out.questions.push_back(question.text());
  if (const Node* update = section.find("update")) {
    for (const Node& url : update->items()) {
      if (url.text().starts_with("file:"))
        throw recipe_error(url, "an image fetches updates over http or https only");
      out.update.push_back(url.text());
    }
  }
  out.attempts = number_up_to(section, "attempts", 1, 1000);
  out.longest_wait = number_up_to(section, "longest_wait", 0, 86400);
  if (section.find("serial") != nullptr)
    out.serial = number_up_to(section, "serial", 1, std::numeric_limits<std::uint32_t>::max());
  out.shared = section.find("shared")->text();
  out.log = text_or("log", "/var/log/" + out.name + "-first-boot.log");
  return out;
}

}  // namespace imgforge::recipe
