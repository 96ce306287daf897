// The key by which a user logs in to a machine: one for each machine, in its folder.
#pragma once

#include <filesystem>
#include <string>

#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {

/// Its folder, below that of the machine.
std::filesystem::path ssh_folder(const std::filesystem::path& machine);
inline constexpr const char* kSshKey = "id_ed25519";
/// Its public half, made at the first need by ssh-keygen(1).
std::string ssh_public_key(const Context& context, const std::filesystem::path& machine);

}  // namespace imgforge::cli
