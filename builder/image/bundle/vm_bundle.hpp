// A virtual machine bundle: one folder in a tar that starts with its own script and with libvirt, on a host
// that has QEMU and nothing of imgforge. The texts are made here from a few facts; the disk is copied in. The
// code is in vm_bundle.cpp, vm_libvirt.cpp and vm_start_script.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"

namespace imgforge::image {

enum class VmCard { kUser, kBridge, kNone };

/// Pieces of memory that can be added while the machine runs.
inline constexpr unsigned kVmMemorySlots = 4;

struct VmSpec {
  std::string name;  ///< of the machine and of the folder; letters, digits and ._+-
  std::string profile;
  std::string description;
  std::string identity;  ///< text that UUID and hardware address derive from
  core::Bytes memory;
  core::Bytes maximum_memory;  ///< with what is added while it runs; at least `memory`
  unsigned cpus = 1;
  core::Bytes disk_size;  ///< as the machine sees it
  VmCard network = VmCard::kUser;
  std::int64_t epoch = 0;  ///< time of all members
};

/// Locally administered unicast address (IEEE 802: second bit of the first byte), "52:54:00:..." as QEMU's.
std::string vm_hardware_address(const VmSpec& spec);
/// config.json: what the machine is, for programs. `disk` is the sha256 of disk.qcow2, `stored` its bytes.
std::string vm_config(const VmSpec& spec, const core::Digest& disk, core::Bytes stored);
/// network.conf: KEY=value lines that start.sh reads and people edit.
std::string vm_network_conf(const VmSpec& spec);
/// domain.xml, as https://libvirt.org/formatdomain.html. libvirt takes absolute paths only, so the disk has
/// a placeholder folder that `start.sh --domain` replaces by the folder of the bundle.
std::string vm_domain_xml(const VmSpec& spec);
/// start.sh: POSIX shell, needs qemu-system-x86_64, qemu-img only for kept changes.
std::string vm_start_script(const VmSpec& spec);

/// Writes the tar `output` (must not exist; removed again on failure) around the qcow2 image `disk`. Equal
/// arguments give equal bytes.
void write_vm_bundle(const std::filesystem::path& disk, const VmSpec& spec,
                     const std::filesystem::path& output, const core::CancelToken& cancel);

struct VmFacts {
  std::string name;
  core::Bytes memory;
  unsigned cpus = 0;
  core::Bytes disk_size;
};

/// Reads a bundle through and hashes its disk. Throws kImage when a member is missing, foreign or of another
/// kind, config.json is not understood, or the disk is not the one that it names.
VmFacts check_vm_bundle(const std::filesystem::path& file, const core::CancelToken& cancel);

}  // namespace imgforge::image
