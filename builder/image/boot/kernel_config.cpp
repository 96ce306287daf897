#include "builder/image/boot/kernel_config.hpp"

#include <algorithm>
#include <vector>

namespace imgforge::image {
namespace {

constexpr std::size_t kLargest = 4u << 20;
constexpr std::size_t kLongestName = 100;
constexpr std::string_view kPrefix = "CONFIG_";
constexpr std::string_view kNotSet = " is not set";

/// An option that a feature needs, and the module that it may be.
struct Needed {
  const char* option;
  const char* module = nullptr;
};

struct Feature {
  const char* name;
  std::vector<Needed> needed;
};

const std::vector<Feature>& features() {
  using namespace artifacts;
  static const std::vector<Feature> table{
      {kFeature9p, {{"NET_9P", "9pnet"}, {"NET_9P_VIRTIO", "9pnet_virtio"}, {"9P_FS", "9p"}}},
      {kFeatureBalloon, {{"VIRTIO_BALLOON", "virtio_balloon"}}},
      {kFeatureCpuHotplug, {{"HOTPLUG_CPU"}, {"ACPI_HOTPLUG_CPU"}}},
      {kFeatureMemoryHotplug, {{"MEMORY_HOTPLUG"}, {"ACPI_HOTPLUG_MEMORY"}}},
      {kFeatureVirtioConsole, {{"VIRTIO_CONSOLE", "virtio_console"}}},
      {kFeatureVirtioMem, {{"VIRTIO_MEM", "virtio_mem"}}},
      {kFeatureVirtiofs, {{"FUSE_FS", "fuse"}, {"VIRTIO_FS", "virtiofs"}}},
  };
  return table;
}

bool is_option(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

ConfigValue value_of(std::string_view text) {
  return text == "m" ? ConfigValue::kModule : text == "n" ? ConfigValue::kNo : ConfigValue::kYes;
}

bool has_files(const RootfsArchive& rootfs, const KernelFiles& kernel, const char* module) {
  const std::vector<std::string> paths = kernel.modules.closure({module});
  return !paths.empty() && std::all_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return rootfs.resolve(kernel.modules_folder + "/" + path).has_value();
  });
}

}  // namespace

std::optional<KernelConfig> KernelConfig::parse(std::string_view text) {
  if (text.size() > kLargest) return std::nullopt;
  KernelConfig config;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    ConfigValue value = ConfigValue::kNo;
    if (line.starts_with("# ")) {
      line.remove_prefix(2);
      if (!line.starts_with(kPrefix) || !line.ends_with(kNotSet)) continue;
      line.remove_suffix(kNotSet.size());
    } else if (line.starts_with('#')) {
      continue;
    } else {
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos || equals + 1 == line.size()) return std::nullopt;
      value = value_of(line.substr(equals + 1));
      line = line.substr(0, equals);
    }
    if (!line.starts_with(kPrefix)) return std::nullopt;
    line.remove_prefix(kPrefix.size());
    if (!is_option(line) || !config.options_.emplace(line, value).second) return std::nullopt;
  }
  if (config.options_.empty()) return std::nullopt;
  return config;
}

ConfigValue KernelConfig::at(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? ConfigValue::kNo : found->second;
}

artifacts::KernelFeatures kernel_features(const RootfsArchive& rootfs, const KernelFiles& kernel) {
  const std::optional<KernelConfig> config = KernelConfig::parse(kernel.config);
  artifacts::KernelFeatures out;
  if (!config) return out;
  for (const Feature& feature : features()) {
    out[feature.name] = std::all_of(feature.needed.begin(), feature.needed.end(), [&](const Needed& needed) {
      const ConfigValue value = config->at(needed.option);
      if (value != ConfigValue::kModule) return value == ConfigValue::kYes;
      return needed.module != nullptr && has_files(rootfs, kernel, needed.module);
    });
  }
  return out;
}

}  // namespace imgforge::image
