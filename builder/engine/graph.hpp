// The steps of a build and what each is made from. A graph is a value: making one does nothing, so it can be
// printed and tested; the engine (engine.hpp) runs it or says what running it would do.
#pragma once

#include <set>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "builder/engine/step.hpp"

namespace imgforge::engine {

/// A step with the type of its result.
template <class Result>
struct Step : StepRecord {
  std::function<Result(Context&)> make = {};
  std::function<std::string(const Result&)> words = {};  ///< the result in a few words; empty: its summary
};

class Graph {
 public:
  /// Adds a step, or finds the common one that stands for it. Its inputs must be there already, so that there
  /// can be no cycle. Throws kInternal for an input that is not, one that is named twice, and an id that is
  /// taken. `type` says how the result is written and compared: recorded<Result>() or transient<Result>() of
  /// engine/result.hpp.
  template <class Result>
  Ref<Result> add(Step<Result> step, ResultType type) {
    StepRecord record = std::move(static_cast<StepRecord&>(step));
    record.type = type;
    record.run = [make = std::move(step.make)](Context& context) -> AnyResult {
      return std::make_shared<const Result>(make(context));
    };
    record.describe = [words = std::move(step.words), summary = record.summary](const void* result) {
      return words ? words(*static_cast<const Result*>(result)) : summary;
    };
    return {insert(std::move(record))};
  }

  const std::vector<StepRecord>& steps() const { return steps_; }
  /// The step and all that it is made from.
  std::set<StepIndex> needed_by(StepIndex step) const;
  /// The step of that id, or nothing.
  const StepRecord* find(std::string_view id) const;

 private:
  StepIndex insert(StepRecord step);
  std::vector<StepRecord> steps_;
};

}  // namespace imgforge::engine
