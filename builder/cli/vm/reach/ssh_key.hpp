// The key by which a user logs in to a machine: one for each machine, in its folder.
#pragma once

#include <filesystem>
#include <string>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/agent/ssh_access.hpp"

namespace imgforge::cli {

/// Its folder, below that of the machine.
std::filesystem::path ssh_folder(const std::filesystem::path& machine);
inline constexpr const char* kSshKey = "id_ed25519";
/// Its public half, made at the first need by ssh-keygen(1).
std::string ssh_public_key(const Context& context, const std::filesystem::path& machine);

inline constexpr const char* kKnownHosts = "known_hosts";
/// Lets that key log in as `user` (empty: as machines::hand_over chooses), and keeps the host's keys beside
/// it, under the machine's name.
machines::SshAccess hand_over_key(const Context& context, machines::Agent& agent,
                                  const std::filesystem::path& machine, const std::string& user);

}  // namespace imgforge::cli
