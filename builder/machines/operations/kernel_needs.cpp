#include "builder/machines/operations/kernel_needs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {

using namespace artifacts;

std::vector<std::string> lacking(const KernelFeatures& features) {
  std::vector<std::string> out;
  for (const auto& [name, there] : features) {
    if (!there) out.push_back(name);
  }
  return out;
}

void need_feature(const Settings& settings, const char* feature, const std::string& what,
                  const std::string& hint) {
  if (!settings.lacks_feature(feature)) return;
  throw core::Error(core::Kind::kUsage, fmt::format("{}: the kernel of {} has no {}, says its manifest", what,
                                                    core::escaped(settings.origin.text()), feature))
      .hint(!hint.empty() ? hint
                          : "another kernel in packages.add of the recipe may have it, such as linux-lts");
}

std::vector<std::string> check_kernel(const Settings& settings) {
  std::vector<std::string> warnings;
  const auto warn_without = [&](const char* feature, const char* what) {
    if (settings.lacks_feature(feature))
      warnings.push_back(fmt::format("{}: its kernel has no {}, and so {}", settings.name, feature, what));
  };
  const auto shares_by = [&](bool virtiofs) {
    return std::any_of(settings.shares.begin(), settings.shares.end(),
                       [&](const Share& share) { return share.is_virtiofs() == virtiofs; });
  };
  if (shares_by(true)) need_feature(settings, kFeatureVirtiofs, "--share DIR:virtiofs");
  if (shares_by(false)) {
    if (settings.shared && settings.agent) {
      warn_without(kFeature9p,
                   "it does not see the shared folder; what it is told and says goes by its agent");
    } else {
      need_feature(settings, kFeature9p, "--share",
                   settings.lacks_feature(kFeatureVirtiofs) ? "" : "it has virtiofs: --share DIR:virtiofs");
    }
  }
  if (settings.autoscale.most != 0) need_feature(settings, kFeatureBalloon, "--autoscale");
  if (settings.max_memory > settings.memory) {
    need_feature(settings, kFeatureMemoryHotplug, "--max-memory");
    warn_without(kFeatureBalloon, "memory that it was given cannot be taken back while it runs");
  }
  if (settings.max_cpus > settings.cpus) need_feature(settings, kFeatureCpuHotplug, "--max-cpus");
  if (settings.agent) warn_without(kFeatureVirtioConsole, "its agent cannot be reached");
  return warnings;
}

}  // namespace imgforge::machines
