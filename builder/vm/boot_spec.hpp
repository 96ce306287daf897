// What one boot in QEMU is given: the artifact and the path into it, the machine, what the console must show
// and what is done once it does.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "builder/vm/boot_path.hpp"
#include "builder/vm/guest_shell.hpp"
#include "core/bytes.hpp"

namespace imgforge::vm {

/// Formats of a disk image that QEMU reads. CDs and sticks are always raw.
enum class ImageFormat { kRaw, kQcow2, kVmdk, kVhdx, kVdi };

/// Something that the console must show. Expectations are met one after the other.
struct Expectation {
  std::string pattern;     ///< ECMAScript regular expression, searched in a line
  std::string reply = {};  ///< typed on the console once it is met
};

/// For Attachment::kKernel.
struct KernelBoot {
  std::filesystem::path kernel;
  std::vector<std::filesystem::path> initrds;  ///< joined in this order, each padded to 4 bytes
  std::string cmdline;
};

/// For Attachment::kNetwork.
struct NetworkBoot {
  std::filesystem::path folder;  ///< served read-only by QEMU's own TFTP server
  std::string file;              ///< what the card's iPXE fetches and starts: a script, or a boot program
};

struct BootSpec {
  BootPath path;
  std::filesystem::path image;  ///< of disk, CD and stick; never changed
  ImageFormat format = ImageFormat::kQcow2;
  KernelBoot kernel;
  NetworkBoot network;
  /// UEFI's variables, used in place so that what is enrolled stays. Empty: a private fresh copy (kUefi only;
  /// kSecureBoot proves nothing without keys, so it needs a file).
  std::filesystem::path variables;
  std::filesystem::path firmware_folder = "/usr/share/OVMF";

  core::Bytes memory = core::mib(256);
  unsigned cpus = 1;
  machine::Accelerator accelerator = machine::Accelerator::kEmulation;
  std::filesystem::path shared;  ///< folder that the guest sees as 9p mount tag "shared"; empty: none

  std::vector<Expectation>
      expect;  ///< the last one means "ready"; empty: the hand-over marker of the initramfs
  std::chrono::milliseconds deadline{std::chrono::seconds(180)};  ///< until ready, and for each command
  /// Without any output for so long before it is ready, the guest counts as hung.
  std::chrono::milliseconds silence{std::chrono::seconds(60)};

  LogIn log_in;
  std::vector<GuestCommand> commands;  ///< run over the console once it is ready
  std::filesystem::path screenshot;    ///< PNG of the screen at the end; empty: no screen
  std::filesystem::path log;           ///< the raw console goes there
  std::filesystem::path work_dir;      ///< takes QEMU's overlay, variables, sockets; private to this boot
};

}  // namespace imgforge::vm
