#include "builder/engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "builder/engine/fingerprint.hpp"
#include "core/error.hpp"

namespace imgforge::engine {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

enum class Mode { kRun, kPlan };

/// What is known of a step so far.
struct Node {
  AnyResult result;
  std::string identity;                  ///< of the result
  std::optional<std::string> canonical;  ///< once the results of all inputs are known
  bool is_settled = false;               ///< the cache was asked
  bool is_needed = false;                ///< it must run: no result, or files of it are gone
  bool has_files = false;                ///< its files were seen
  bool is_prepared = false;
  bool looks_again = false;  ///< for what an equal step has made
  bool is_running = false;
  bool has_run = false;
  bool is_told = false;
  bool is_wanted = false;  ///< the targets depend on it
  std::exception_ptr error;
};

}  // namespace

/// One graph on its way. The thread that calls look() decides; workers only run bodies.
class Engine::Walk : public ResultSource {
 public:
  Walk(const Graph& graph, Environment environment)
      : graph_(graph), environment_(std::move(environment)), nodes_(graph.steps().size()) {}

  void run(std::span<const StepIndex> targets) {
    mode_ = Mode::kRun;
    want(targets);
    for (StepIndex i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].is_wanted && step(i).prepare && !nodes_[i].result && is_surely_new(i)) prepare(i);
    }
    std::vector<std::jthread> workers;
    std::unique_lock lock(mutex_);
    for (;;) {
      if (!failed_) look_guarded(targets);
      leave_lanes();
      if (!failed_ && !environment_.cancel.cancelled()) launch(workers);
      if (running_ == 0 && !news_) break;
      ended_.wait(lock, [&] { return news_; });
      news_ = false;
    }
    lock.unlock();
    workers.clear();
    for (const Node& node : nodes_) {
      if (node.error) std::rethrow_exception(node.error);
    }
    environment_.cancel.check();
  }

  std::vector<StepOutlook> plan(std::span<const StepIndex> targets) {
    mode_ = Mode::kPlan;
    want(targets);
    for (const StepIndex target : targets) look(target, Use::kBytes);
    std::vector<StepOutlook> rows;
    for (StepIndex i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].is_wanted && step(i).is_shown) rows.push_back(outlook(i));
    }
    return rows;
  }

  const void* result(StepIndex index) const override {
    const AnyResult& result = nodes_.at(index).result;
    if (!result) throw core::Error(core::Kind::kInternal, "the step " + step(index).id + " has no result");
    return result.get();
  }
  bool has(StepIndex index) const { return nodes_.at(index).result != nullptr; }
  const std::vector<StepReport>& reports() const { return reports_; }

 private:
  const StepRecord& step(StepIndex index) const { return graph_.steps()[index]; }

  void want(std::span<const StepIndex> targets) {
    for (const StepIndex target : targets) {
      for (const StepIndex index : graph_.needed_by(target)) nodes_[index].is_wanted = true;
    }
  }

  bool is_surely_new(StepIndex index) const {
    const auto last = environment_.cache.last_text(step(index).id);
    return !last || !has_parameters(*last, step(index).parameters);
  }

  /// An error of the walk itself belongs to the step that it was at.
  void look_guarded(std::span<const StepIndex> targets) {
    try {
      environment_.cancel.check();
      for (const StepIndex target : targets) look(target, Use::kBytes);
      tell_known();
    } catch (...) {
      nodes_[looking_at_].error = std::current_exception();
      failed_ = true;
    }
  }

  /// Finds out as much as is possible now about a step that is used so: its result, and when it has none (or
  /// its files are gone) that it is needed, and so on for its inputs. True when there is nothing to wait for.
  bool look(StepIndex index, Use use) {
    Node& node = nodes_[index];
    if (node.is_running) return false;
    if (!node.is_settled && !settle(index)) return false;
    looking_at_ = index;
    if (node.result && use == Use::kValue) return true;
    if (node.result && !node.is_needed) {
      if (node.has_files || files_are_there(index)) return true;
      node.is_needed = true;
    }
    if (!node.is_needed || node.has_run) return node.has_run;
    // It must run: now all that it is made from must be there, with files.
    prepare(index);
    bool ready = true;
    for (const Input& input : step(index).inputs)
      ready = look(input.step, input.use == Use::kValue ? Use::kValue : Use::kBytes) && ready;
    if (ready && mode_ == Mode::kRun && !node.is_running) ready_.insert(index);
    return false;
  }

  /// Asks the cache, once the results of the inputs are known. False while they are not.
  bool settle(StepIndex index) {
    Node& node = nodes_[index];
    const StepRecord& row = step(index);
    bool known = true;
    for (const Input& input : row.inputs) {
      if (input.use != Use::kWhenRun)
        known = (look(input.step, Use::kValue), nodes_[input.step].result) && known;
    }
    looking_at_ = index;
    if (!known) return false;
    node.is_settled = true;
    if (row.freshness == Freshness::kRecorded) {
      find_record(index);
    } else if (mode_ == Mode::kPlan && row.freshness != Freshness::kActs) {
      ask_for_plan(index);
    } else {
      node.is_needed = true;
    }
    return true;
  }

  void find_record(StepIndex index) {
    Node& node = nodes_[index];
    const StepRecord& row = step(index);
    std::map<std::string, std::string> identities;
    for (const Input& input : row.inputs) {
      if (input.use == Use::kWhenRun) continue;
      std::string name = step(input.step).kind;
      while (identities.contains(name)) name += "+";
      identities[name] = nodes_[input.step].identity;
    }
    node.canonical = canonical_text(row, identities, row.tools ? row.tools() : Tools());
    const auto record = environment_.cache.find(fingerprint_of(*node.canonical));
    if (record) {
      try {
        keep(index, row.type.read(*record));
        note_last(row, node, *record);
        return;
      } catch (const core::Error&) {
        // Of another version of imgforge, or damaged: it is absent.
      }
    }
    node.is_needed = true;
  }

  /// What another profile made, or a build before the last one, is from now on what this step was last time:
  /// else it would seem new to each further build.
  void note_last(const StepRecord& row, const Node& node, const std::string& record) {
    if (mode_ == Mode::kPlan || environment_.cache.last_text(row.id) == node.canonical) return;
    environment_.cache.store(row.id, fingerprint_of(*node.canonical), *node.canonical, record);
  }

  /// For a plan what was seen last stands for the answer; when nothing was, the step is not known.
  void ask_for_plan(StepIndex index) {
    const StepRecord& row = step(index);
    // Only what a build would ask first: whatever else it reads must be there as well.
    for (const Input& input : row.inputs) {
      if (!look(input.step, input.use == Use::kValue ? Use::kValue : Use::kBytes)) {
        nodes_[index].is_needed = true;
        return;
      }
    }
    looking_at_ = index;
    try {
      const core::Activity nobody_watches;
      Context context(row, *this, environment_.progress, nobody_watches, environment_.cancel, true);
      keep(index, row.run(context));
      nodes_[index].has_files = true;
    } catch (const core::Error& error) {
      if (error.kind() == core::Kind::kInterrupted || error.kind() == core::Kind::kMachine ||
          row.freshness == Freshness::kGiven)
        throw;
      nodes_[index].is_needed = true;
    }
  }

  void keep(StepIndex index, AnyResult result) {
    const ResultType& type = step(index).type;
    nodes_[index].identity = type.identity ? type.identity(result.get()) : "null";
    nodes_[index].result = std::move(result);
  }

  bool files_are_there(StepIndex index) {
    Node& node = nodes_[index];
    if (const auto files = step(index).type.files) {
      for (const core::Digest& file : files(node.result.get())) {
        if (!environment_.has_blob(file)) return false;
      }
    }
    node.has_files = true;
    return true;
  }

  /// Results of the cache that nothing makes again are told as soon as that is clear.
  void tell_known() {
    for (StepIndex i = 0; i < nodes_.size(); ++i) {
      Node& node = nodes_[i];
      if (!node.result || node.is_needed || node.is_told) continue;
      node.is_told = true;
      if (step(i).is_shown) tell(i, environment_.progress.begin(step(i).id), StepState::kKnown, 0, {});
    }
  }

  void tell(StepIndex index, core::Activity activity, StepState state, double seconds,
            Context::Phases phases) {
    const StepRecord& row = step(index);
    if (!row.is_shown) return activity.done();
    std::string detail = row.describe(nodes_[index].result.get());
    state == StepState::kKnown ? activity.known(detail) : activity.done(detail);
    std::erase_if(reports_, [&](const StepReport& report) { return report.id == row.id; });
    reports_.push_back({row.id, state, seconds, std::move(detail), std::move(phases)});
  }

  void prepare(StepIndex index) {
    Node& node = nodes_[index];
    if (mode_ != Mode::kRun || node.is_prepared || !step(index).prepare || !enter_lane(index)) return;
    node.is_prepared = true;
    step(index).prepare();
  }

  const std::string& holder_of(StepIndex index) const {
    return step(index).holder.empty() ? step(index).id : step(index).holder;
  }

  /// Whether the step's lane has a place for it, which is taken then.
  bool enter_lane(StepIndex index) {
    const std::string& lane = step(index).lane;
    if (lane.empty()) return true;
    std::set<std::string>& holders = lanes_[lane];
    if (holders.contains(holder_of(index))) return true;
    const unsigned width = environment_.width ? std::max(1U, environment_.width(lane)) : 1;
    if (holders.size() >= width) return false;
    holders.insert(holder_of(index));
    return true;
  }

  /// Holders go when none of their steps may still run.
  void leave_lanes() {
    std::map<std::string, std::set<std::string>> staying;
    for (StepIndex i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      const bool may_run = node.is_running || (!node.has_run && (!node.is_settled || node.is_needed));
      if (!step(i).lane.empty() && node.is_wanted && may_run) staying[step(i).lane].insert(holder_of(i));
    }
    for (auto& [lane, holders] : lanes_) {
      const std::set<std::string>& kept = staying[lane];
      std::erase_if(holders, [&kept](const std::string& holder) { return !kept.contains(holder); });
    }
  }

  /// Whether another step that runs would keep the step from running now: it is of the same holder, or makes
  /// the same.
  bool must_wait(StepIndex index) const {
    for (StepIndex i = 0; i < nodes_.size(); ++i) {
      if (!nodes_[i].is_running) continue;
      const bool same_place =
          !step(index).lane.empty() && step(i).lane == step(index).lane && holder_of(i) == holder_of(index);
      const bool same_work = nodes_[index].canonical && nodes_[i].canonical == nodes_[index].canonical;
      if (same_place || same_work) return true;
    }
    return false;
  }

  /// Starts what is ready, in the order of the graph.
  void launch(std::vector<std::jthread>& workers) {
    for (auto next = ready_.begin(); next != ready_.end() && running_ < std::max(1U, environment_.jobs);) {
      const StepIndex index = *next;
      Node& node = nodes_[index];
      if (node.canonical && made_.contains(*node.canonical) && !std::exchange(node.looks_again, true)) {
        // Another step has made the same meanwhile.
        next = ready_.erase(next);
        node.is_needed = false;
        node.is_settled = node.result != nullptr;
        news_ = true;
        continue;
      }
      if (must_wait(index) || !enter_lane(index)) {
        ++next;
        continue;
      }
      if (environment_.job_server && running_ > 0 && !environment_.job_server->acquire()) return;
      next = ready_.erase(next);
      node.is_running = true;
      ++running_;
      workers.emplace_back([this, index] { work(index); });
    }
  }

  void work(StepIndex index) {
    const StepRecord& row = step(index);
    core::Activity activity = environment_.progress.begin(row.id);
    Context context(row, *this, environment_.progress, activity, environment_.cancel, false);
    AnyResult made;
    std::exception_ptr error;
    const auto start = Clock::now();
    try {
      const auto run = [&] { return row.run(context); };
      made = row.is_shown ? core::while_doing("making " + row.id, run) : run();
    } catch (...) {
      error = std::current_exception();
    }
    const double seconds = seconds_since(start);
    const std::lock_guard lock(mutex_);
    try {
      if (!error) finish(index, std::move(activity), std::move(made), seconds, context.take_phases());
    } catch (...) {
      error = std::current_exception();
    }
    Node& node = nodes_[index];
    node.is_running = false;
    if (error) {
      node.error = error;
      failed_ = true;
    }
    --running_;
    if (environment_.job_server && running_ > 0) environment_.job_server->release();
    news_ = true;
    ended_.notify_one();
  }

  void finish(StepIndex index, core::Activity activity, AnyResult made, double seconds,
              Context::Phases phases) {
    Node& node = nodes_[index];
    const StepRecord& row = step(index);
    if (node.result) {
      // The cache lost files of it; what depends on it holds the identity of the one before.
      const std::string again = row.type.identity ? row.type.identity(made.get()) : "null";
      if (again != node.identity) {
        throw core::Error(core::Kind::kInternal, row.id + " was made again and came out different")
            .hint("a run step or package script leaves something random or timed behind");
      }
    } else {
      keep(index, std::move(made));
      if (row.freshness == Freshness::kRecorded && row.type.write) {
        environment_.cache.store(row.id, fingerprint_of(*node.canonical), *node.canonical,
                                 row.type.write(node.result.get()));
      }
    }
    if (node.canonical) made_.insert(*node.canonical);
    node.has_run = true;
    node.has_files = true;
    node.is_needed = false;
    node.is_told = true;
    tell(index, std::move(activity),
         row.freshness == Freshness::kGiven ? StepState::kKnown : StepState::kMade, seconds,
         std::move(phases));
  }

  StepOutlook outlook(StepIndex index) const {
    const Node& node = nodes_[index];
    const StepRecord& row = step(index);
    StepOutlook out{row.id, row.summary, Outlook::kRun, "", ""};
    if (node.canonical) out.fingerprint = fingerprint_of(*node.canonical).hex();
    if (row.freshness == Freshness::kActs) {
      out.outlook = Outlook::kAsked;
    } else if (node.result && !node.is_needed) {
      out.outlook = row.freshness == Freshness::kAsked ? Outlook::kAsked : Outlook::kKnown;
    } else {
      out.why = why(index);
    }
    return out;
  }

  std::string why(StepIndex index) const {
    const Node& node = nodes_[index];
    const StepRecord& row = step(index);
    if (node.result) return "files of it are gone from the cache";
    if (node.canonical) {
      const auto last = environment_.cache.last_text(row.id);
      return last ? explain_difference(*last, *node.canonical) : "it was never made";
    }
    // A hidden step speaks through the one that it belongs to.
    std::vector<std::string> names;
    for (const Input& input : row.inputs) {
      if (nodes_[input.step].result) continue;
      if (!step(input.step).is_shown && !step(input.step).unknown.empty()) return step(input.step).unknown;
      if (step(input.step).is_shown) names.push_back(step(input.step).kind);
    }
    if (names.empty()) return row.unknown.empty() ? "it was never made" : row.unknown;
    return fmt::format("it depends on {}", fmt::join(names, " and "));
  }

  const Graph& graph_;
  Environment environment_;
  std::vector<Node> nodes_;
  Mode mode_ = Mode::kRun;
  StepIndex looking_at_ = 0;
  std::set<StepIndex> ready_;
  std::vector<StepReport> reports_;
  std::mutex mutex_;  ///< all members; held by whoever is not in a body
  std::condition_variable ended_;
  std::map<std::string, std::set<std::string>> lanes_;  ///< who holds them
  std::set<std::string> made_;                          ///< canonical texts of steps that ran
  unsigned running_ = 0;
  bool news_ = false;
  bool failed_ = false;
};

std::string_view outlook_name(Outlook outlook) {
  switch (outlook) {
    case Outlook::kKnown:
      return "known";
    case Outlook::kAsked:
      return "ask";
    case Outlook::kRun:
      return "run";
  }
  return "?";
}

Engine::Engine(const Graph& graph, Environment environment)
    : walk_(std::make_unique<Walk>(graph, std::move(environment))) {}

Engine::~Engine() = default;

void Engine::run(std::span<const StepIndex> targets) {
  walk_->run(targets);
}

std::vector<StepOutlook> Engine::plan(std::span<const StepIndex> targets) {
  return walk_->plan(targets);
}

bool Engine::has(StepIndex step) const {
  return walk_->has(step);
}

const std::vector<StepReport>& Engine::reports() const {
  return walk_->reports();
}

const void* Engine::result(StepIndex step) const {
  return walk_->result(step);
}

}  // namespace imgforge::engine
