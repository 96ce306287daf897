#include "builder/stages/step_runner.hpp"

#include <algorithm>
#include <chrono>

#include "core/error.hpp"

namespace imgforge::stages {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::optional<core::Json> StepRunner::known(const plan::Step& step, const core::Json& inputs,
                                            const core::Json& versions) const {
  return tools_.steps.find(plan::fingerprint(step, inputs, versions));
}

core::Json StepRunner::run(const plan::Step& step, const core::Json& inputs, const core::Json& versions,
                           const std::function<bool(const core::Json&)>& usable,
                           const std::function<core::Json()>& make,
                           const std::function<std::string(const core::Json&)>& describe) {
  tools_.cancel.check();
  if (auto result = known(step, inputs, versions); result && usable(*result)) {
    report(step, StepState::kKnown, 0, describe(*result));
    return *std::move(result);
  }
  tools_.progress.begin(step.id());
  const auto start = std::chrono::steady_clock::now();
  core::Json result = core::while_doing("making " + step.id(), make);
  tools_.steps.store(step, plan::fingerprint(step, inputs, versions),
                     plan::canonical_text(step, inputs, versions), result);
  report(step, StepState::kMade, seconds_since(start), describe(result));
  return result;
}

void StepRunner::always(const plan::Step& step, const std::function<std::string()>& body) {
  tools_.cancel.check();
  tools_.progress.begin(step.id());
  const auto start = std::chrono::steady_clock::now();
  std::string detail = core::while_doing("making " + step.id(), body);
  report(step, StepState::kMade, seconds_since(start), std::move(detail));
}

void StepRunner::report(const plan::Step& step, StepState state, double seconds, std::string detail) {
  const std::lock_guard lock(mutex_);
  const bool seen = std::any_of(reports_.begin(), reports_.end(),
                                [&](const StepReport& row) { return row.id == step.id(); });
  if (seen) return;
  tools_.progress.end(
      step.id(), detail,
      state == StepState::kKnown ? core::Progress::Outcome::kCached : core::Progress::Outcome::kDone);
  reports_.push_back({step.id(), state, seconds, std::move(detail), std::exchange(phases_, {})});
}

}  // namespace imgforge::stages
