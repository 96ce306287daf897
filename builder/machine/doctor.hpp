// What this machine has and lacks for building images, each finding with the command that mends it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::machine {

enum class Health { kGood, kWarning, kBad };

/// One line of `imgforge doctor`.
struct Finding {
  Health health = Health::kGood;
  std::string subject;  ///< "qemu-img", "KVM", "appliance kernel"
  std::string detail;   ///< version, or what is wrong
  std::string mend;     ///< command that mends it; empty when nothing is to be done
};

/// The command that installs a package.
std::string install_command(std::string_view package);

/// Examines tools, firmware and boot code, the appliance kernel, KVM and free space. Starts programs only to
/// ask for versions and to probe KVM.
std::vector<Finding> examine_machine(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                                     const std::filesystem::path& output_dir,
                                     const core::CancelToken& cancel);

/// First dotted number in a program's version text ("7.2.22"); empty when there is none.
std::string version_in(std::string_view text);
/// Compares dotted numbers: negative, zero, positive.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace imgforge::machine
