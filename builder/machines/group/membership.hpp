// What the folder of a machine keeps of the group that it belongs to: the file `group.json`.
#pragma once

#include <filesystem>
#include <string>

#include "builder/machines/group/group.hpp"

namespace imgforge::machines {

inline constexpr const char* kGroupFile = "group.json";

struct Membership {
  std::string group;
  core::Json wanted;  ///< Wanted::record of the time when it was made
};
/// Of the machine in `folder`; an empty group when it belongs to none. Throws kIntegrity for a damaged
/// record.
Membership membership_of(const std::filesystem::path& folder);
void keep_membership(const std::filesystem::path& folder, const std::string& group, const Wanted& wanted);

}  // namespace imgforge::machines
