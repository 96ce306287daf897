// The Secure Boot keys that a recipe names.
#pragma once

#include "builder/engine/graph.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/steps/profile/profile.hpp"

namespace imgforge::steps {

struct SecureBootResult {
  stages::SecureBootKeys keys;
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("keys", self.keys.digests);
  }
};

/// For recipes with `secure_boot` alone.
engine::Ref<SecureBootResult> add_secure_boot(engine::Graph& graph, Profile& profile);

}  // namespace imgforge::steps
