#include "builder/stages/isolation.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

constexpr const char* kOption = "--isolation says so";

}  // namespace

std::string_view isolation_name(Isolation isolation) {
  return isolation == Isolation::kAppliance ? "appliance" : "namespaces";
}

IsolationWish isolation_wish(std::string_view word) {
  for (const auto& [name, wish] : kIsolationWishes) {
    if (name == word) return wish;
  }
  throw core::Error(core::Kind::kUsage, "no isolation is called " + core::escaped(word, 40));
}

IsolationChoice choose_isolation(IsolationWish wish, const AskAccelerator& accelerator,
                                 const ProbeNamespaces& probe) {
  switch (wish) {
    case IsolationWish::kAppliance:
      return {Isolation::kAppliance, fmt::format("{}; {}", kOption, accelerator().reason)};
    case IsolationWish::kNamespaces:
      return {Isolation::kNamespaces, kOption};
    case IsolationWish::kAuto:
      break;
  }
  const auto [kind, reason] = accelerator();
  if (kind == machine::Accelerator::kKvm) return {Isolation::kAppliance, reason};
  const guest::NamespaceProbe probed = probe();
  if (probed.works) return {Isolation::kNamespaces, reason};
  return {Isolation::kAppliance, fmt::format("{}; namespaces do not work: {}", reason, probed.failure())};
}

machine::Finding examine_isolation(IsolationWish wish, const machine::AcceleratorVerdict& accelerator,
                                   const ProbeNamespaces& probe) {
  using machine::Health;
  machine::Finding finding{Health::kGood, "sandbox of builds", {}, {}};
  if (wish == IsolationWish::kAuto && accelerator.accelerator == machine::Accelerator::kKvm) {
    finding.detail = "appliance, with KVM";
    return finding;
  }
  if (wish == IsolationWish::kAppliance) {
    finding.detail = fmt::format("appliance: {}", kOption);
    return finding;
  }
  const guest::NamespaceProbe probed = probe();
  if (probed.works) {
    finding.detail = fmt::format("namespaces ({}): {}", probed.way,
                                 wish == IsolationWish::kAuto ? "no hardware virtualisation here" : kOption);
    return finding;
  }
  finding.mend = probed.mend;
  if (wish == IsolationWish::kAuto) {
    finding.health = Health::kWarning;
    finding.detail = fmt::format("emulated appliance, slow: namespaces do not work: {}", probed.failure());
  } else {
    finding.health = Health::kBad;
    finding.detail = fmt::format("namespaces ({}) do not work: {}", kOption, probed.failure());
  }
  return finding;
}

}  // namespace imgforge::stages
