#include "builder/engine/graph.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace imgforge::engine {

const StepRecord* Graph::find(std::string_view id) const {
  const auto found =
      std::find_if(steps_.begin(), steps_.end(), [&](const StepRecord& step) { return step.id == id; });
  return found == steps_.end() ? nullptr : &*found;
}

std::set<StepIndex> Graph::needed_by(StepIndex step) const {
  std::set<StepIndex> all;
  std::vector<StepIndex> open{step};
  while (!open.empty()) {
    const StepIndex next = open.back();
    open.pop_back();
    if (!all.insert(next).second) continue;
    for (const Input& input : steps_.at(next).inputs) open.push_back(input.step);
  }
  return all;
}

StepIndex Graph::insert(StepRecord step) {
  const auto refuse = [&](const std::string& why) {
    return core::Error(core::Kind::kInternal, "the step " + step.id + " " + why);
  };
  if (find(step.id) != nullptr) throw refuse("is there already");
  if (step.is_common) {
    const auto same = std::find_if(steps_.begin(), steps_.end(), [&](const StepRecord& other) {
      return other.is_common && other.kind == step.kind && other.parameters == step.parameters &&
             other.freshness == step.freshness && other.inputs == step.inputs;
    });
    if (same != steps_.end()) return static_cast<StepIndex>(same - steps_.begin());
  }
  std::vector<StepIndex> seen;
  for (const Input& input : step.inputs) {
    if (input.step >= steps_.size()) throw refuse("is made from a step that is not there");
    if (std::find(seen.begin(), seen.end(), input.step) != seen.end())
      throw refuse("names " + steps_[input.step].id + " twice");
    seen.push_back(input.step);
  }
  steps_.push_back(std::move(step));
  return steps_.size() - 1;
}

const void* Context::result_of(StepIndex input) const {
  const auto named = std::find_if(step_.inputs.begin(), step_.inputs.end(),
                                  [&](const Input& row) { return row.step == input; });
  if (named == step_.inputs.end())
    throw core::Error(core::Kind::kInternal,
                      "the step " + step_.id + " reads what it does not name as an input");
  return source_.result(input);
}

}  // namespace imgforge::engine
