#include "builder/steps/image/secure_boot.hpp"

#include "builder/engine/result.hpp"

namespace imgforge::steps {

engine::Ref<SecureBootResult> add_secure_boot(engine::Graph& graph, Profile& profile) {
  engine::Step<SecureBootResult> step;
  step.id = profile.id("secure boot");
  step.kind = "secure boot";
  step.freshness = engine::Freshness::kGiven;
  step.is_shown = false;
  step.make = [&profile](engine::Context&) {
    return SecureBootResult{stages::find_secure_boot_keys(profile.tools, profile.recipe).value()};
  };
  return graph.add(std::move(step), engine::transient<SecureBootResult>());
}

}  // namespace imgforge::steps
