// A root file system as it comes out of a sandbox: a normalised tar in the cache.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/engine/step.hpp"
#include "builder/steps/profile/profile.hpp"
#include "core/digest.hpp"

namespace imgforge::steps {

/// What the results of steps that make one have in common.
struct RootTar {
  core::Digest sha256;
  std::uint64_t size = 0;
  std::int64_t epoch = 0;  ///< no time inside is later, in seconds
  std::string isolation;   ///< of the sandbox, as in manifests
  std::string identity() const;
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("epoch", self.epoch);
    visit("isolation", self.isolation);
  }
};

/// Reads it out of the profile's sandbox, which goes on holding it, into the cache.
RootTar export_root(engine::Context& context, Profile& profile, guest::Sandbox& sandbox, std::int64_t epoch);

/// The moment that no time in a root file system may exceed: SOURCE_DATE_EPOCH, or that of the newest input.
std::int64_t epoch_of(std::int64_t newest_input);

}  // namespace imgforge::steps
