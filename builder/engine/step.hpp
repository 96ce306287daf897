// A step of a build as a value: what it is called, what it is made from and how it is made. Steps know each
// other by typed references only, and what runs sees nothing but the results of the steps that it names as
// its inputs.
#pragma once

#include <any>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/progress.hpp"

namespace imgforge::engine {

/// Place of a step in its graph.
using StepIndex = std::size_t;

/// A step whose result is a `Result`. Made by Graph::add.
template <class Result>
struct Ref {
  StepIndex index = 0;
};

/// How often a step's result must be asked for.
enum class Freshness {
  kRecorded,  ///< never again for the same fingerprint: the cache keeps it
  kAsked,     ///< in each build, cheaply when nothing changed; a plan looks at what was seen last
  kGiven,     ///< never: it was said before, by a lock for example, and is no work
  kActs,      ///< it does something to the world: runs in each build and in no plan
};

/// What a step takes of an input.
enum class Use {
  kBytes,    ///< its result, and the files that it names
  kValue,    ///< its result alone
  kWhenRun,  ///< its result and files, but not for the fingerprint: another input implies them
};

struct Input {
  StepIndex step = 0;
  Use use = Use::kBytes;
  bool operator==(const Input&) const = default;
};

template <class Result>
Input bytes_of(Ref<Result> step) {
  return {step.index, Use::kBytes};
}
template <class Result>
Input value_of(Ref<Result> step) {
  return {step.index, Use::kValue};
}
template <class Result>
Input when_run(Ref<Result> step) {
  return {step.index, Use::kWhenRun};
}

/// A result without its type.
using AnyResult = std::shared_ptr<const void>;

/// What the engine must know of a type of results. JSON is handed on as text.
struct ResultType {
  std::string (*write)(const void*) = nullptr;      ///< null: never recorded
  AnyResult (*read)(const std::string&) = nullptr;  ///< throws kIntegrity for anything but what `write` gave
  std::string (*identity)(const void*) = nullptr;   ///< JSON that the fingerprints of other steps hold
  std::vector<core::Digest> (*files)(const void*) = nullptr;  ///< blobs that it names
};

class Context;

/// Versions of programs and digests of resources that shape a step's bytes, by name.
using Tools = std::map<std::string, std::string>;

/// How a step behaves, without the type of its result.
struct StepRecord {
  std::string id;                 ///< unique: "unhinged-os-minimal/rootfs"
  std::string kind;               ///< "rootfs": part of the fingerprint
  std::string summary = {};       ///< for people: "Alpine 3.22 x86_64 minirootfs"
  std::string parameters = "{}";  ///< JSON: what the recipe says to it
  std::vector<Input> inputs = {};
  std::function<Tools()> tools = {};  ///< empty: none
  Freshness freshness = Freshness::kRecorded;
  bool is_shown = true;  ///< false: part of another step: seen while it runs, without a line at its end
  /// Steps that need the same scarce thing are in one lane, which has room for so many holders at a time
  /// (Environment::width). Empty: no lane.
  std::string lane = {};
  /// Who is in the lane. It stays there between its first step and its last, and of its steps one runs at a
  /// time. Empty: the step itself.
  std::string holder = {};
  /// Several profiles ask this of the world alike: a step of the same kind, parameters and inputs that is in
  /// the graph already stands for it.
  bool is_common = false;
  std::string unknown = {};  ///< kAsked: why a plan may not know it, "its source was never fetched"
  /// Called once, as soon as it is certain that the step will run and its lane has room, while its inputs are
  /// still made. Returns at once.
  std::function<void()> prepare = {};
  std::function<AnyResult(Context&)> run = {};
  std::function<std::string(const void*)> describe = {};  ///< a result in a few words
  ResultType type = {};
};

/// Where the engine looks results up; in a build's context nobody else does.
class ResultSource {
 public:
  virtual ~ResultSource() = default;
  virtual const void* result(StepIndex step) const = 0;
};

/// What a running step may use: its declared inputs, its activity, a stopwatch, and the wish to end early.
class Context {
 public:
  using Phases = std::vector<std::pair<std::string, double>>;
  /// `activity` is the step's own; it, the step and `source` must outlive the context.
  Context(const StepRecord& step, const ResultSource& source, core::Progress& progress,
          const core::Activity& activity, const core::CancelToken& cancel, bool is_plan)
      : step_(step),
        source_(source),
        progress_(progress),
        activity_(activity),
        cancel_(cancel),
        is_plan_(is_plan) {}

  /// The result of an input. kInternal when the step does not name it as one.
  template <class Result>
  const Result& operator[](Ref<Result> input) const {
    return *static_cast<const Result*>(result_of(input.index));
  }
  const std::string& id() const { return step_.id; }
  const core::CancelToken& cancel() const { return cancel_; }
  /// True while a plan is made: no request, no work.
  bool is_plan() const { return is_plan_; }
  /// Tells the watcher how far the step is.
  void say(std::string_view detail) const { activity_.say(detail); }
  /// What the step is for who watches: longer parts of it, such as downloads, become parts of this.
  const core::Activity& activity() const { return activity_; }
  /// For notes and warnings.
  core::Progress& progress() const { return progress_; }

  /// Measures a part of the step; the parts stand in its report.
  template <class Body>
  decltype(auto) phase(std::string name, Body&& body) {
    const Timer timer{phases_, std::move(name), std::chrono::steady_clock::now()};
    return std::forward<Body>(body)();
  }
  Phases take_phases() { return std::exchange(phases_, {}); }

 private:
  struct Timer {
    Phases& phases;
    std::string name;
    std::chrono::steady_clock::time_point start;
    ~Timer() {
      const auto end = std::chrono::steady_clock::now();
      phases.emplace_back(std::move(name), std::chrono::duration<double>(end - start).count());
    }
  };
  const void* result_of(StepIndex input) const;

  const StepRecord& step_;
  const ResultSource& source_;
  core::Progress& progress_;
  const core::Activity& activity_;
  core::CancelToken cancel_;
  bool is_plan_;
  Phases phases_;
};

}  // namespace imgforge::engine
