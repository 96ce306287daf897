// The machines of a group that are there: what `vm up`, `down` and `ps` share.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/group/membership.hpp"

namespace imgforge::cli {

inline constexpr const char* kUsualGroupFile = "machines.yaml";  ///< unless another one is named

/// Declares the group's file as the next positional.
void declare_group_file(OptionSet& set, std::filesystem::path& file);

/// The machine of that name, when it is there. Throws kUsage when it does not belong to the group.
std::optional<machines::Membership> member_there(const machines::Registry& registry,
                                                 const machines::Group& group, const std::string& name);

/// Machines of the group that the file does not name.
std::vector<std::string> strangers(const machines::Registry& registry, const machines::Group& group);

/// The fields in which what is there differs from what is wanted.
std::string differences(const core::Json& there, const core::Json& wanted);

}  // namespace imgforge::cli
