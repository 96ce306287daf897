#include "signing/trust/role.hpp"

#include <array>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

constexpr std::array kRoles{Role::kRelease, Role::kCatalogue, Role::kModels, Role::kUpdate};
constexpr std::array<std::string_view, kRoles.size()> kNames{"release", "catalogue", "models", "update"};

}  // namespace

std::span<const Role> roles() {
  return kRoles;
}

std::string_view role_name(Role role) {
  return kNames.at(static_cast<std::size_t>(role));
}

Role parse_role(std::string_view name) {
  for (const Role role : kRoles) {
    if (role_name(role) == name) return role;
  }
  throw core::Error(core::Kind::kUsage, "\"" + core::escaped(name, 60) + "\" is no role of a key")
      .hint("release, catalogue, models or update");
}

}  // namespace imgforge::signing
