// Runs one step of a plan: looks its fingerprint up, makes the result when it is not known, records it,
// and tells the watcher. What every step has in common is said here once.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/json.hpp"

namespace imgforge::stages {

enum class StepState { kMade, kKnown };

/// What became of a step, for summaries and `--json`.
struct StepReport {
  std::string id;
  StepState state = StepState::kKnown;
  double seconds = 0;
  std::string detail;
  std::vector<std::pair<std::string, double>> phases = {};  ///< parts of a long step, in seconds
};

class StepRunner {
 public:
  explicit StepRunner(Toolbox& tools) : tools_(tools) {}

  /// The recorded result of the step for these inputs, if any. Says nothing to the watcher.
  std::optional<core::Json> known(const plan::Step& step, const core::Json& inputs,
                                  const core::Json& versions) const;

  /// The recorded result if there is one that `usable` accepts (its blobs are still there), else what `make`
  /// makes, which is then recorded. `describe` turns a result into a few words.
  core::Json run(const plan::Step& step, const core::Json& inputs, const core::Json& versions,
                 const std::function<bool(const core::Json&)>& usable,
                 const std::function<core::Json()>& make,
                 const std::function<std::string(const core::Json&)>& describe);

  /// Runs something that is asked anew every time and has no record, such as the release.
  void always(const plan::Step& step, const std::function<std::string()>& body);

  /// Measures a part of the step that runs now; the parts appear in its report. Not for steps that run at the
  /// same time.
  template <class Body>
  decltype(auto) phase(std::string name, Body&& body) {
    const Timer timer{*this, std::move(name), std::chrono::steady_clock::now()};
    return std::forward<Body>(body)();
  }

  const std::vector<StepReport>& reports() const { return reports_; }

 private:
  struct Timer {
    StepRunner& runner;
    std::string name;
    std::chrono::steady_clock::time_point start;
    ~Timer() {
      const auto end = std::chrono::steady_clock::now();
      runner.phases_.emplace_back(std::move(name), std::chrono::duration<double>(end - start).count());
    }
  };
  void report(const plan::Step& step, StepState state, double seconds, std::string detail);

  Toolbox& tools_;
  std::mutex mutex_;  ///< formats are made at the same time
  std::vector<StepReport> reports_;
  std::vector<std::pair<std::string, double>> phases_;
};

}  // namespace imgforge::stages
