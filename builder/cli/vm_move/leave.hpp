// A machine of this host from which something leaves: nobody else changes it meanwhile.
#pragma once

#include <filesystem>
#include <string>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/move/bundle.hpp"
#include "builder/machines/registry/machine_lock.hpp"

namespace imgforge::cli {

class Leaving {
 public:
  /// Takes the machine's command lock. Throws kUsage for none and for a disposable one, kLocked.
  Leaving(const Context& context, const machines::Registry& registry, const std::string& name);

  /// Keeps the machine from being started. Throws kUsage when it runs, or may not run here.
  void require_stopped();
  /// What the machine is. Throws kUsage for one whose base is not known.
  machines::BundleHead describe(machines::DiskContent content) const;

  const std::filesystem::path& folder() const { return folder_; }
  const machines::Settings& settings() const { return settings_; }

 private:
  const Context& context_;
  machines::Settings settings_;
  std::filesystem::path folder_;
  machines::MachineLock lock_;
};

}  // namespace imgforge::cli
