// What a trusted key may vouch for. A key without roles may vouch for everything.
#pragma once

#include <span>
#include <string_view>

namespace imgforge::signing {

enum class Role {
  kRelease,    ///< releases and whatever is said of them, lists of checksums
  kCatalogue,  ///< the first root of a catalogue
  kModels,     ///< lists of models
  kUpdate,     ///< updates that images take by themselves
};

/// All of them, in the order above.
std::span<const Role> roles();
/// "release", "catalogue", "models", "update".
std::string_view role_name(Role role);
/// Throws kUsage with all names as hint.
Role parse_role(std::string_view name);

}  // namespace imgforge::signing
