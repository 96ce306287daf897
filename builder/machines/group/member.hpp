// A member of a group as its file has it: the fields of one entry below `machines`.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "builder/machines/group/group.hpp"
#include "builder/recipe/document/plain_values.hpp"

namespace imgforge::machines {

/// One machine, or several alike.
struct Member {
  Wanted wanted;
  unsigned replicas = 1;
  std::vector<std::pair<recipe::Node, std::string>>
      after;  ///< the member's name where it stands, and the state
};

/// Reads it; relative paths are those below `folder`. Throws kRecipe with the place.
Member read_member(const recipe::Node& key, const recipe::Node& value, const std::filesystem::path& folder);

/// The text, when machines may be called so. Throws kUsage.
std::string machine_name(const std::string& text);

}  // namespace imgforge::machines
