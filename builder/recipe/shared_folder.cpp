#include "builder/recipe/shared_folder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/recipe/typing.hpp"

namespace imgforge::recipe {
namespace {

constexpr const char* kSection = "shared";
constexpr std::size_t kMostLines = 1000;  // as many as a manifest takes

/// `what` and the command that acts upon it come together.
void check_pair(const Node& section, const std::vector<std::string>& commands, const char* command,
                const char* what, bool there) {
  const bool wanted = std::find(commands.begin(), commands.end(), command) != commands.end();
  if (wanted == there) return;
  throw recipe_error(
      section, wanted ? fmt::format("shared.commands has {}, and shared.{} names nothing", command, what)
                      : fmt::format("shared.{} is of no use: shared.commands has no {}", what, command));
}

}  // namespace

std::vector<std::string> SharedFolder::lines() const {
  std::vector<std::string> out;
  if (shutdown) out.emplace_back("shutdown: graceful");
  for (const std::string& service : services) out.push_back("restart: " + service);
  for (const SharedKey& key : config) {
    for (const std::string& value : key.values) out.push_back(fmt::format("config: {}={}", key.key, value));
  }
  return out;
}

std::optional<SharedFolder> read_shared(const Node& top) {
  const Node* section = top.find(kSection);
  if (section == nullptr) return std::nullopt;
  SharedFolder out;
  if (section->kind() == NodeKind::kScalar)
    return section->text() == "false" ? std::nullopt : std::optional(std::move(out));
  const std::vector<std::string> commands = texts(*section, "commands");
  out.shutdown = std::find(commands.begin(), commands.end(), "shutdown") != commands.end();
  out.services = texts(*section, "services");
  for (const Node& item : items_of(*section, "config")) {
    out.config.push_back({item.find("key")->text(), texts(item, "values")});
    if (out.config.back().values.empty()) throw recipe_error(item, "a key of shared.config needs values");
  }
  check_pair(*section, commands, "restart", "services", !out.services.empty());
  check_pair(*section, commands, "config", "config", !out.config.empty());
  if (out.lines().size() > kMostLines)
    throw recipe_error(*section, fmt::format("shared allows more than {} commands", kMostLines));
  return out;
}

}  // namespace imgforge::recipe
