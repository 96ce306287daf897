// Folders that a machine sees by virtiofs (virtio specification 1.2, 5.11): a daemon for each, which shares
// the machine's memory (vhost-user). The one that Debian 12 has wants to be root; it is given a user
// namespace in which this user is that, with the ids of subuid(5), and mounts of its own.
#pragma once

#include <filesystem>
#include <string>

#include "builder/machines/registry/settings.hpp"
#include "builder/vm/qemu_words.hpp"
#include "core/process.hpp"

namespace imgforge::machines {

inline constexpr const char* kVirtiofsDaemon = "/usr/lib/qemu/virtiofsd";

/// Some folder is shared by virtiofs: memory has to be shared, too.
bool uses_virtiofs(const Settings& settings);

/// Name of the socket of the `index`-th shared folder, in the machine's folder.
std::string virtiofs_socket(std::size_t index);

/// Serves the `index`-th shared folder on that socket, to one QEMU, and ends with it. It runs in the
/// machine's folder.
core::Command virtiofs_command(const Share& share, std::size_t index, const std::filesystem::path& folder,
                               unsigned uid);

/// Words of QEMU for memory and folders; none without virtiofs.
vm::Words virtiofs_words(const Settings& settings);

/// Throws kMachine, with what to install, when there is no daemon or nothing to give it a namespace.
void require_virtiofs();

}  // namespace imgforge::machines
