// Stream sockets with a name in a folder (unix(7)). The name in the kernel's address holds 107 bytes, so a
// deep folder is reached through its descriptor.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/fd.hpp"

namespace imgforge::core {

/// Connects to the socket `name` in `folder`; nothing when nobody listens (yet, or any more). Throws a
/// system_error for anything else, also for a folder that is not there.
std::optional<Fd> connect_local(const std::filesystem::path& folder, const std::string& name);

/// Listens at the new socket `name` in `folder`, in place of what has that name there. Neither call nor what
/// it returns blocks.
Fd listen_local(const std::filesystem::path& folder, const std::string& name);

}  // namespace imgforge::core
