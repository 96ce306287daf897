// The configuration that a kernel was built with (config-* beside it; Documentation/kbuild/kconfig.rst of
// Linux): lines CONFIG_NAME=value, "# CONFIG_NAME is not set", other comments, and nothing else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "artifacts/manifest/kernel_features.hpp"
#include "builder/image/boot/kernel.hpp"

namespace imgforge::image {

enum class ConfigValue { kNo, kModule, kYes };

class KernelConfig {
 public:
  /// Nothing for a text that is none: empty, above 4 MiB, with another line or an option twice.
  static std::optional<KernelConfig> parse(std::string_view text);
  /// Of an option without "CONFIG_"; kNo for one that is not there, kYes also for a text or number.
  ConfigValue at(std::string_view option) const;

 private:
  std::map<std::string, ConfigValue, std::less<>> options_;
};

/// What the kernel and the modules in the image can do of what machines need. A module whose file is not in
/// the image is not there. Empty when the configuration is not known.
artifacts::KernelFeatures kernel_features(const RootfsArchive& rootfs, const KernelFiles& kernel);

}  // namespace imgforge::image
