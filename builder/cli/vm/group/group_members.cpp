#include "builder/cli/vm/group/group_members.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

using core::Error;
using core::Json;
using core::Kind;
using machines::Group;
using machines::Wanted;
namespace fs = std::filesystem;

void declare_group_file(OptionSet& set, fs::path& file) {
  set.positional("file", file, "file that says which machines [machines.yaml]");
}

std::optional<machines::Membership> member_there(const machines::Registry& registry, const Group& group,
                                                 const std::string& name) {
  const fs::path folder = registry.folder(name);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return std::nullopt;
  machines::Membership membership = machines::membership_of(folder);
  if (membership.group == group.name) return membership;
  throw Error(Kind::kUsage,
              fmt::format("there is a machine {} that does not belong to the group {}", name, group.name))
      .hint("call the group or the machine otherwise, or imgforge vm remove " + name);
}

std::vector<std::string> strangers(const machines::Registry& registry, const Group& group) {
  std::vector<std::string> names;
  for (const machines::Entry& entry : registry.entries()) {
    const bool named = std::any_of(group.machines.begin(), group.machines.end(),
                                   [&](const Wanted& wanted) { return wanted.name == entry.name; });
    if (!named && machines::membership_of(entry.folder).group == group.name) names.push_back(entry.name);
  }
  return names;
}

std::string differences(const Json& there, const Json& wanted) {
  std::vector<std::string> names;
  for (const auto& [name, value] : wanted.items()) {
    if (!there.contains(name) || there.at(name) != value) names.push_back(name);
  }
  return core::join(names, ", ");
}

}  // namespace imgforge::cli
