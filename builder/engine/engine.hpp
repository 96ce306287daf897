// Runs a graph, or says what running it would do: both are the same walk. The walk asks the cache first, and
// makes the inputs of a step only when the step itself must be made. Of recorded steps with the same
// fingerprint one is made, the others find its record. A step that fails lets those beside it end and starts
// no other one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder/engine/graph.hpp"
#include "builder/engine/job_server.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/progress.hpp"

namespace imgforge::engine {

/// What was made before, by fingerprint. Stands behind an interface so that tests can keep it in memory.
class Cache {
 public:
  virtual ~Cache() = default;
  /// The result (JSON) recorded for that fingerprint. A damaged record counts as absent.
  virtual std::optional<std::string> find(const core::Digest& fingerprint) const = 0;
  /// Records a result; `canonical` is the text that the fingerprint was made of, `step` its id.
  virtual void store(const std::string& step, const core::Digest& fingerprint, const std::string& canonical,
                     const std::string& result) = 0;
  /// Canonical text of the last recorded run of the step of that id, whatever its fingerprint was.
  virtual std::optional<std::string> last_text(const std::string& step) const = 0;
};

/// The effects that an engine has of its own.
struct Environment {
  Cache& cache;
  core::Progress& progress;
  core::CancelToken cancel;
  /// Whether the blob of that sha256 is there and sound. A plan may be content with its being there.
  std::function<bool(const core::Digest&)> has_blob;
  unsigned jobs = 1;  ///< steps at a time
  /// Where a job slot comes from for each step beside the first that runs. Null: nobody is asked.
  std::shared_ptr<JobServer> job_server = {};
  /// How many holders a lane has room for, asked when one wants in. Empty: one in each.
  std::function<unsigned(const std::string& lane)> width = {};
};

enum class StepState { kMade, kKnown };

/// What became of a step, for summaries and `--json`.
struct StepReport {
  std::string id;
  StepState state = StepState::kKnown;
  double seconds = 0;
  std::string detail;
  std::vector<std::pair<std::string, double>> phases = {};  ///< parts of a long step, in seconds
};

enum class Outlook {
  kKnown,  ///< a result for these inputs is there
  kAsked,  ///< asked anew in every build, cheaply
  kRun,    ///< would run
};

/// "known", "ask", "run".
std::string_view outlook_name(Outlook outlook);

/// What would become of a step.
struct StepOutlook {
  std::string id;
  std::string summary;
  Outlook outlook = Outlook::kRun;
  std::string fingerprint;  ///< hex; empty while inputs are unknown
  std::string why;          ///< kRun: what changed since its last run, or what it waits for
};

class Engine {
 public:
  /// Both must outlive the engine.
  Engine(const Graph& graph, Environment environment);
  ~Engine();

  /// Makes the results of these steps and what they need, with all files. Throws the first error in the order
  /// of the graph when everything that ran has ended; results made before it are recorded.
  void run(std::span<const StepIndex> targets);
  template <class Result>
  const Result& run(Ref<Result> target) {
    const StepIndex index = target.index;
    run(std::span(&index, 1));
    return *static_cast<const Result*>(result(index));
  }
  /// The result of a step that run() made or found.
  template <class Result>
  const Result& operator[](Ref<Result> step) const {
    return *static_cast<const Result*>(result(step.index));
  }
  /// Whether run() has made or found it, also when it ended with an error of another step.
  bool has(StepIndex step) const;
  /// In the order of the graph, without steps that are part of another one for who watches.
  std::vector<StepOutlook> plan(std::span<const StepIndex> targets);
  /// In the order in which they ended.
  const std::vector<StepReport>& reports() const;

 private:
  const void* result(StepIndex step) const;
  class Walk;
  std::unique_ptr<Walk> walk_;
};

}  // namespace imgforge::engine
