// What machines need of the kernel of an image, by the names that manifests use for it.
#pragma once

#include <map>
#include <string>

namespace imgforge::artifacts {

/// Whether the kernel has it; what is not in the map is unknown.
using KernelFeatures = std::map<std::string, bool>;

inline constexpr const char* kFeature9p = "9p";                   ///< folders of the host, by 9p
inline constexpr const char* kFeatureBalloon = "balloon";         ///< memory that is taken and given back
inline constexpr const char* kFeatureCpuHotplug = "cpu-hotplug";  ///< processors that come later
inline constexpr const char* kFeatureMemoryHotplug = "memory-hotplug";  ///< DIMMs that come later
inline constexpr const char* kFeatureVirtioConsole = "virtio-console";  ///< the channel of the guest agent
inline constexpr const char* kFeatureVirtioMem = "virtio-mem";
inline constexpr const char* kFeatureVirtiofs = "virtiofs";  ///< folders of the host, by a daemon

/// "9p balloon", or "no virtiofs, virtio-mem" for those that it lacks; both parts where there are both. Empty
/// when nothing is known.
std::string features_text(const KernelFeatures& features);

}  // namespace imgforge::artifacts
