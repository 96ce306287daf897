// Names of a user for the releases that new machines are made of: `bases.json` of the state folder.
#pragma once

#include <map>
#include <string>

namespace imgforge::cli {

using Bases = std::map<std::string, std::string, std::less<>>;  ///< name, and "LINE@VERSION"

/// What a base of that name stands for; the text itself when there is no such base. Throws kIntegrity when
/// the file is damaged.
std::string release_of_base(const std::string& text);

}  // namespace imgforge::cli
