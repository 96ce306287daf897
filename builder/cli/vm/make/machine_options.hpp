// Options of `vm run` about the machine itself, and the making of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/settings.hpp"
#include "builder/machines/registry/wishes.hpp"

namespace imgforge::cli {

struct MachineOptions : machines::Wishes {
  MachineOptions() { firmware = "auto"; }
  explicit MachineOptions(const machines::Wishes& wishes) : machines::Wishes(wishes) {}

  std::string base;  ///< in place of an empty source
  std::filesystem::path iso;
  std::string name;  ///< empty: disposable
  unsigned max_cpus = 0;
  std::string max_memory;
  std::string secure_boot_keys;
  bool autostart = false;
  std::vector<std::string> public_keys;
};

/// Declares all but the source and the name.
void declare_machine_options(OptionSet& set, MachineOptions& options);

/// Makes the machine: verifies the release first. What is not verified is warned of. Nothing is left when it
/// fails. Throws kUsage when there is one of that name.
machines::Settings make_machine(const Context& context, const machines::Registry& registry,
                                const MachineOptions& options);

/// What make_machine would say of the options and the release's manifest, before anything is made. Throws
/// likewise.
void check_machine(const Context& context, const MachineOptions& options);

/// What a machine that is there becomes with other options; its source, name and disk stay. The release is
/// verified again for what it says it needs.
machines::Settings changed_machine(const Context& context, machines::Settings settings,
                                   const MachineOptions& options);

}  // namespace imgforge::cli
