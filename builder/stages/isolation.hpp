// Which sandbox programs of an image run in while it is built. The appliance is a machine of its own and the
// stronger wall, but takes tens of seconds to start where hardware virtualisation does not work; namespaces
// start at once. What comes out is the same to the byte, so the choice is no part of any fingerprint. What
// each protects against: builder/guest/namespaces/README.md.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "builder/guest/namespaces/probe.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/machine/doctor.hpp"

namespace imgforge::stages {

enum class Isolation { kAppliance, kNamespaces };

/// "appliance", "namespaces": as in manifests.
std::string_view isolation_name(Isolation isolation);

/// kAuto: the appliance where hardware virtualisation works, else namespaces where they work, else the
/// emulated appliance.
enum class IsolationWish { kAuto, kAppliance, kNamespaces };

/// Words of the command line for them.
inline constexpr std::array<std::pair<std::string_view, IsolationWish>, 3> kIsolationWishes{{
    {"auto", IsolationWish::kAuto},
    {"appliance", IsolationWish::kAppliance},
    {"namespace", IsolationWish::kNamespaces},
}};

/// The wish of that word. kUsage when there is none.
IsolationWish isolation_wish(std::string_view word);

struct IsolationChoice {
  Isolation isolation = Isolation::kAppliance;
  std::string reason;  ///< for people: "KVM works", "this machine has no /dev/kvm"
};

using AskAccelerator = std::function<machine::AcceleratorVerdict()>;
using ProbeNamespaces = std::function<guest::NamespaceProbe()>;

/// Chooses. `accelerator` and `probe`, which take up to seconds, are asked only when they matter. A wish is
/// granted unseen: who starts the sandbox is told what is wrong with it.
IsolationChoice choose_isolation(IsolationWish wish, const AskAccelerator& accelerator,
                                 const ProbeNamespaces& probe);

/// What `imgforge doctor` says: which one would run here and why, with the mend when it is the slow one or
/// does not work.
machine::Finding examine_isolation(IsolationWish wish, const machine::AcceleratorVerdict& accelerator,
                                   const ProbeNamespaces& probe);

}  // namespace imgforge::stages
