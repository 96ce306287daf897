#include "builder/engine/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <set>

#include "builder/engine/fingerprint.hpp"
#include "builder/engine/result.hpp"
#include "core/error.hpp"
#include "support/recorded_progress.hpp"

namespace imgforge::engine {
namespace {

using core::Digest;
using core::Error;
using core::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Digest digest(const std::string& text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

/// A file's worth of text: later steps see its digest, the cache keeps it by that.
struct Text {
  std::string text;
  std::string identity() const { return digest(text).hex(); }
  std::vector<Digest> files() const { return {digest(text)}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("text", self.text);
  }
};

class MemoryCache : public Cache {
 public:
  std::optional<std::string> find(const Digest& fingerprint) const override {
    const auto found = records.find(fingerprint.hex());
    return found == records.end() ? std::nullopt : std::optional(found->second);
  }
  void store(const std::string& step, const Digest& fingerprint, const std::string& canonical,
             const std::string& result) override {
    records[fingerprint.hex()] = result;
    last[step] = canonical;
  }
  std::optional<std::string> last_text(const std::string& step) const override {
    const auto found = last.find(step);
    return found == last.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, std::string> records, last;
};

/// A build of texts: each step joins its inputs and its own word.
class EngineTest : public ::testing::Test {
 protected:
  struct Options {
    std::vector<Input> inputs = {};
    std::string word = {};  ///< parameter; the id when empty
    Freshness freshness = Freshness::kRecorded;
    std::string lane = {};
    std::string holder = {};
    std::string kind = {};  ///< the id when empty
    bool is_common = false;
    std::function<Text(Context&)> make = {};
    std::function<void()> prepare = {};
    bool is_shown = true;
  };

  Ref<Text> add(Graph& graph, const std::string& id, Options options) {
    Step<Text> step;
    step.id = id;
    step.kind = options.kind.empty() ? id : options.kind;
    step.summary = "makes " + id;
    const std::string word = options.word.empty() ? id : options.word;
    step.parameters = "{\"word\":\"" + word + "\"}";
    step.inputs = options.inputs;
    step.freshness = options.freshness;
    step.lane = options.lane;
    step.holder = options.holder;
    step.is_common = options.is_common;
    step.is_shown = options.is_shown;
    step.prepare = options.prepare;
    step.make = [this, id, word, options](Context& context) {
      {
        const std::lock_guard lock(mutex_);
        ran_.push_back(id);
      }
      Text made{word};
      if (options.make) {
        made = options.make(context);
      } else {
        std::string inner;
        for (const Input& input : options.inputs) {
          if (input.use != Use::kBytes) continue;
          inner += (inner.empty() ? "" : " ") + context[Ref<Text>{input.step}].text;
        }
        if (!inner.empty()) made.text += "(" + inner + ")";
      }
      const std::lock_guard lock(mutex_);
      blobs_.insert(digest(made.text));
      return made;
    };
    return graph.add(std::move(step), recorded<Text>());
  }

  Environment environment(unsigned jobs = 1) {
    return {cache_, progress_, cancel_,
            [this](const Digest& blob) {
              const std::lock_guard lock(mutex_);
              return blobs_.contains(blob);
            },
            jobs};
  }

  std::string build(const Graph& graph, Ref<Text> target, unsigned jobs = 1) {
    ran_.clear();
    Engine engine(graph, environment(jobs));
    const std::string text = engine.run(target).text;
    reports_ = engine.reports();
    return text;
  }

  /// "base known, rootfs run": what a plan says.
  std::string plan(const Graph& graph, Ref<Text> target) {
    ran_.clear();
    Engine engine(graph, environment());
    rows_ = engine.plan(std::span(&target.index, 1));
    std::string text;
    for (const StepOutlook& row : rows_)
      text += (text.empty() ? "" : ", ") + row.id + " " + std::string(outlook_name(row.outlook));
    return text;
  }

  Kind fails(const Graph& graph, Ref<Text> target, unsigned jobs = 1) {
    try {
      build(graph, target, jobs);
    } catch (const Error& error) {
      message_ = error.message();
      return error.kind();
    }
    ADD_FAILURE() << "nothing failed";
    return Kind::kInternal;
  }

  struct Diamond {
    Graph graph;
    Ref<Text> base, left, right, top;
  };
  Diamond diamond(const std::string& base_word = "base", const std::string& right_word = "right") {
    Diamond made;
    made.base = add(made.graph, "base", {.word = base_word});
    made.left = add(made.graph, "left", {.inputs = {bytes_of(made.base)}});
    made.right = add(made.graph, "right", {.inputs = {bytes_of(made.base)}, .word = right_word});
    made.top = add(made.graph, "top", {.inputs = {bytes_of(made.left), bytes_of(made.right)}});
    return made;
  }

  MemoryCache cache_;
  imgforge::testing::RecordedProgress progress_;
  core::CancelToken cancel_;
  std::mutex mutex_;
  std::set<Digest> blobs_;
  std::vector<std::string> ran_;
  std::vector<StepReport> reports_;
  std::vector<StepOutlook> rows_;
  std::string message_;
};

TEST_F(EngineTest, ADiamondRunsEachStepOnceAndInputsFirst) {
  const Diamond made = diamond();
  EXPECT_EQ(build(made.graph, made.top), "top(left(base) right(base))");
  EXPECT_THAT(ran_, ElementsAre("base", "left", "right", "top"));
  EXPECT_THAT(progress_.lines, ElementsAre("begin base", "done base", "begin left", "done left",
                                           "begin right", "done right", "begin top", "done top"));
}

TEST_F(EngineTest, WhatIsKnownIsNotRunAndItsInputsAreNotEither) {
  const Diamond made = diamond();
  build(made.graph, made.top);
  blobs_.erase(digest("base"));  // nobody needs it
  progress_.lines.clear();
  EXPECT_EQ(build(made.graph, made.top), "top(left(base) right(base))");
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_THAT(progress_.lines, ElementsAre("begin base", "known base", "begin left", "known left",
                                           "begin right", "known right", "begin top", "known top"));
}

TEST_F(EngineTest, AChangedStepRunsWithWhatDependsOnIt) {
  build(diamond().graph, {3});
  const Diamond changed = diamond("base", "other");
  EXPECT_EQ(build(changed.graph, changed.top), "top(left(base) other(base))");
  EXPECT_THAT(ran_, ElementsAre("right", "top"));
}

TEST_F(EngineTest, AnInputThatComesOutTheSameStopsTheChange) {
  Graph graph;
  auto base = add(graph, "base", {.word = "one", .make = [](Context&) { return Text{"same"}; }});
  auto top = add(graph, "top", {.inputs = {bytes_of(base)}});
  build(graph, top);
  Graph changed;
  base = add(changed, "base", {.word = "two", .make = [](Context&) { return Text{"same"}; }});
  top = add(changed, "top", {.inputs = {bytes_of(base)}});
  build(changed, top);
  EXPECT_THAT(ran_, ElementsAre("base"));
}

TEST_F(EngineTest, ALostFileIsMadeAgainOnlyWhenSomebodyReadsIt) {
  const Diamond made = diamond();
  build(made.graph, made.top);
  blobs_.erase(digest("base"));
  blobs_.erase(digest("top(left(base) right(base))"));
  EXPECT_EQ(plan(made.graph, made.top), "base known, left known, right known, top run");
  EXPECT_EQ(rows_.back().why, "files of it are gone from the cache");
  build(made.graph, made.top);
  EXPECT_THAT(ran_, ElementsAre("top"));
  blobs_.erase(digest("base"));
  blobs_.erase(digest("left(base)"));
  blobs_.erase(digest("top(left(base) right(base))"));
  EXPECT_EQ(plan(made.graph, made.top), "base run, left run, right known, top run");
  build(made.graph, made.top);
  EXPECT_THAT(ran_, ElementsAre("base", "left", "top"));
}

TEST_F(EngineTest, WhatIsMadeAgainAndComesOutDifferentIsAnError) {
  Graph graph;
  int count = 0;
  const auto base = add(graph, "base", {.make = [&](Context&) { return Text{std::to_string(++count)}; }});
  const auto top = add(graph, "top", {.inputs = {bytes_of(base)}});
  build(graph, top);
  blobs_.clear();
  EXPECT_EQ(fails(graph, top), Kind::kInternal);
  EXPECT_EQ(message_, "base was made again and came out different");
}

TEST_F(EngineTest, AStepSeesNothingButItsInputs) {
  Graph graph;
  const auto base = add(graph, "base", {});
  const auto other = add(graph, "other", {});
  const auto top = add(
      graph, "top", {.inputs = {bytes_of(base)}, .make = [&](Context& context) { return context[other]; }});
  build(graph, other);
  EXPECT_EQ(fails(graph, top), Kind::kInternal);
  EXPECT_THAT(message_, HasSubstr("reads what it does not name as an input"));
}

TEST_F(EngineTest, AGraphRefusesWhatIsNotThereWhatIsTwiceAndWhatIsTaken) {
  Graph graph;
  const auto base = add(graph, "base", {});
  EXPECT_THROW(add(graph, "self", {.inputs = {{1, Use::kBytes}}}), Error);
  EXPECT_THROW(add(graph, "later", {.inputs = {{7, Use::kBytes}}}), Error);
  EXPECT_THROW(add(graph, "twice", {.inputs = {bytes_of(base), value_of(base)}}), Error);
  EXPECT_THROW(add(graph, "base", {}), Error);
  EXPECT_EQ(graph.steps().size(), 1U);
}

/// `good` ends when the thread of `bad` is gone: then the engine knows of the failure.
TEST_F(EngineTest, OneOfTwoFailsTheOtherEndsAndNothingElseStarts) {
  Graph graph;
  std::mutex gate;
  std::condition_variable changed;
  bool failed = false;
  const auto bad = add(graph, "bad", {.make = [&](Context&) -> Text {
                         std::unique_lock lock(gate);
                         failed = true;
                         std::notify_all_at_thread_exit(changed, std::move(lock));
                         throw Error(Kind::kImage, "it broke");
                       }});
  const auto good = add(graph, "good", {.make = [&](Context&) {
                          std::unique_lock lock(gate);
                          changed.wait(lock, [&] { return failed; });
                          return Text{"good"};
                        }});
  const auto late = add(graph, "late", {.inputs = {bytes_of(good)}});
  const auto top = add(graph, "top", {.inputs = {bytes_of(bad), bytes_of(late)}});
  EXPECT_EQ(fails(graph, top, 2), Kind::kImage);
  EXPECT_THAT(ran_, ::testing::UnorderedElementsAre("bad", "good"));
  EXPECT_EQ(plan(graph, top), "bad run, good known, late run, top run");
}

TEST_F(EngineTest, ActivitiesOfStepsEndHoweverTheStepsEnd) {
  Graph graph;
  const auto good = add(graph, "good", {.make = [](Context& context) {
                          core::Activity part = context.activity().part("download");
                          part.done();
                          context.say("almost there");
                          return Text{"good"};
                        }});
  const auto bad = add(graph, "bad", {.inputs = {bytes_of(good)}, .make = [](Context& context) -> Text {
                                        const core::Activity part = context.activity().part("download");
                                        throw Error(Kind::kImage, "it broke");
                                      }});
  EXPECT_EQ(fails(graph, bad), Kind::kImage);
  EXPECT_THAT(progress_.lines,
              ElementsAre("begin good", "begin good > download", "done good > download", "done good",
                          "begin bad", "begin bad > download", "failed bad > download", "failed bad"));
  EXPECT_THAT(progress_.details, ElementsAre("almost there"));
  EXPECT_EQ(progress_.running(), 0U);
}

TEST_F(EngineTest, AHiddenStepIsSeenWhileItRunsAndLeavesNoLine) {
  Graph graph;
  const auto hidden = add(graph, "hidden", {.is_shown = false});
  const auto top = add(graph, "top", {.inputs = {bytes_of(hidden)}});
  build(graph, top);
  EXPECT_THAT(progress_.lines, ElementsAre("begin hidden", "done hidden", "begin top", "done top"));
  EXPECT_THAT(progress_.results, ElementsAre("", "makes top"));
  progress_.lines.clear();
  build(graph, top);
  EXPECT_THAT(progress_.lines, ElementsAre("begin top", "known top"));
}

TEST_F(EngineTest, AnErrorSaysWhichStepItWas) {
  Graph graph;
  const auto bad =
      add(graph, "bad", {.make = [](Context&) -> Text { throw Error(Kind::kImage, "it broke"); }});
  try {
    build(graph, bad);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.contexts(), ElementsAre("making bad"));
  }
  EXPECT_TRUE(cache_.records.empty());
}

TEST_F(EngineTest, CancelledItStartsNothingMoreAndKeepsWhatWasMade) {
  Graph graph;
  const auto base = add(graph, "base", {.make = [&](Context&) {
                          cancel_.cancel();
                          return Text{"base"};
                        }});
  const auto top = add(graph, "top", {.inputs = {bytes_of(base)}});
  EXPECT_EQ(fails(graph, top), Kind::kInterrupted);
  EXPECT_THAT(ran_, ElementsAre("base"));
  EXPECT_EQ(cache_.records.size(), 1U);
}

TEST_F(EngineTest, StepsOfALaneRunOneAfterTheOther) {
  Graph graph;
  std::atomic<int> now = 0, most = 0;
  const auto make = [&](Context&) {
    most = std::max(most.load(), ++now);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    --now;
    return Text{"x"};
  };
  std::vector<Input> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(bytes_of(add(graph, "step" + std::to_string(i), {.lane = "network", .make = make})));
  build(graph, add(graph, "top", {.inputs = all}), 4);
  EXPECT_EQ(most, 1);
}

TEST_F(EngineTest, ALaneHasRoomForSoManyHoldersWhoStayBetweenTheirSteps) {
  for (const unsigned width : {1U, 2U}) {
    Graph graph;
    std::mutex gate;
    std::set<std::string> inside;
    std::size_t most = 0;
    std::vector<Input> all;
    for (const std::string who : {"a", "b", "c"}) {
      const auto enter = [&, who](Context&) {
        const std::lock_guard lock(gate);
        inside.insert(who);
        most = std::max(most, inside.size());
        return Text{who + std::to_string(width)};
      };
      const auto leave = [&, who](Context&) {
        const std::lock_guard lock(gate);
        inside.erase(who);
        return Text{who + std::to_string(width)};
      };
      const std::string tag = who + std::to_string(width);
      const auto first = add(graph, "first" + tag, {.lane = "sandbox", .holder = who, .make = enter});
      const auto between = add(graph, "between" + tag, {.inputs = {bytes_of(first)}});
      all.push_back(
          bytes_of(add(graph, "last" + tag,
                       {.inputs = {bytes_of(between)}, .lane = "sandbox", .holder = who, .make = leave})));
    }
    const auto top = add(graph, "top" + std::to_string(width), {.inputs = all});
    Environment with_width = environment(4);
    with_width.width = [&](const std::string&) { return width; };
    Engine engine(graph, with_width);
    engine.run(top);
    EXPECT_LE(most, width);
  }
}

TEST_F(EngineTest, EqualWorkOfTwoStepsIsDoneOnce) {
  for (const unsigned jobs : {1U, 4U}) {
    Graph graph;
    const std::string word = "rootfs" + std::to_string(jobs);
    const auto left = add(graph, "left/" + word, {.word = word, .kind = "rootfs"});
    const auto right = add(graph, "right/" + word, {.word = word, .kind = "rootfs"});
    const auto other = add(graph, "other/" + word, {.word = word + "!", .kind = "rootfs"});
    const auto top = add(graph, "top" + word, {.inputs = {bytes_of(left), bytes_of(right), bytes_of(other)}});
    EXPECT_EQ(build(graph, top, jobs), "top" + word + "(" + word + " " + word + " " + word + "!)");
    EXPECT_EQ(ran_.size(), 3U);
    EXPECT_EQ(std::count(ran_.begin(), ran_.end(), "right/" + word), 0);
    // Files that were lost come back once, for both.
    blobs_.erase(digest(word));
    blobs_.erase(digest("top" + word + "(" + word + " " + word + " " + word + "!)"));
    build(graph, top, jobs);
    EXPECT_EQ(ran_.size(), 2U);
  }
}

TEST_F(EngineTest, ACommonStepStandsForThoseThatAskTheSame) {
  Graph graph;
  const auto first =
      add(graph, "a/indexes",
          {.word = "3.22", .freshness = Freshness::kAsked, .kind = "indexes", .is_common = true});
  const auto second =
      add(graph, "b/indexes",
          {.word = "3.22", .freshness = Freshness::kAsked, .kind = "indexes", .is_common = true});
  const auto third =
      add(graph, "c/indexes",
          {.word = "3.21", .freshness = Freshness::kAsked, .kind = "indexes", .is_common = true});
  const auto own =
      add(graph, "d/indexes", {.word = "3.22", .freshness = Freshness::kAsked, .kind = "indexes"});
  EXPECT_EQ(first.index, second.index);
  EXPECT_NE(first.index, third.index);
  EXPECT_NE(first.index, own.index);
  EXPECT_EQ(graph.steps().size(), 3U);
}

TEST_F(EngineTest, WhatIsAskedRunsInEachBuildAndWhatIsGivenIsNoWork) {
  Graph graph;
  const auto asked = add(graph, "asked", {.freshness = Freshness::kAsked});
  const auto given = add(graph, "given", {.freshness = Freshness::kGiven});
  const auto top = add(graph, "top", {.inputs = {bytes_of(asked), bytes_of(given)}});
  build(graph, top);
  build(graph, top);
  EXPECT_THAT(ran_, ElementsAre("asked", "given"));
  EXPECT_EQ(plan(graph, top), "asked ask, given known, top known");
}

TEST_F(EngineTest, AStepThatActsRunsInEachBuildAndInNoPlan) {
  Graph graph;
  const auto base = add(graph, "base", {});
  const auto act = add(graph, "act", {.inputs = {bytes_of(base)}, .freshness = Freshness::kActs});
  build(graph, act);
  build(graph, act);
  EXPECT_THAT(ran_, ElementsAre("act"));
  EXPECT_EQ(plan(graph, act), "base known, act ask");
  EXPECT_THAT(ran_, IsEmpty());
}

TEST_F(EngineTest, WhatIsNeededWhenRunIsNotAskedForWhenItIsNot) {
  Graph graph;
  const auto files = add(graph, "files", {.freshness = Freshness::kAsked, .is_shown = false});
  const auto top = add(graph, "top", {.inputs = {when_run(files)}});
  build(graph, top);
  EXPECT_THAT(ran_, ElementsAre("files", "top"));
  build(graph, top);
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_EQ(cache_.records.size(), 1U);
}

TEST_F(EngineTest, APlanSaysWhatABuildThenRuns) {
  Diamond made = diamond();
  EXPECT_EQ(plan(made.graph, made.top), "base run, left run, right run, top run");
  EXPECT_THAT(ran_, IsEmpty());
  EXPECT_EQ(rows_[0].why, "it was never made");
  EXPECT_EQ(rows_[3].why, "it depends on left and right");
  build(made.graph, made.top);
  EXPECT_EQ(plan(made.graph, made.top), "base known, left known, right known, top known");
  made = diamond("base", "other");
  EXPECT_EQ(plan(made.graph, made.top), "base known, left known, right run, top run");
  EXPECT_EQ(rows_[2].why, "parameters.word was \"right\", is \"other\"");
  build(made.graph, made.top);
  EXPECT_THAT(ran_, ElementsAre("right", "top"));
}

TEST_F(EngineTest, APlanThatCannotAskSaysWhy) {
  Graph graph;
  Step<Text> source;
  source.id = source.kind = "source";
  source.is_shown = false;
  source.unknown = "its source was never fetched";
  source.freshness = Freshness::kAsked;
  source.make = [](Context& context) -> Text {
    EXPECT_TRUE(context.is_plan());
    throw Error(Kind::kFetch, "no network");
  };
  const auto asked = graph.add(std::move(source), transient<Text>());
  const auto top = add(graph, "top", {.inputs = {bytes_of(asked)}});
  EXPECT_EQ(plan(graph, top), "top run");
  EXPECT_EQ(rows_[0].why, "its source was never fetched");
}

TEST_F(EngineTest, ARecordThatDoesNotReadIsAbsent) {
  Graph graph;
  const auto base = add(graph, "base", {});
  build(graph, base);
  for (auto& [key, record] : cache_.records) record = R"({"text":"base","more":1})";
  build(graph, base);
  EXPECT_THAT(ran_, ElementsAre("base"));
  for (auto& [key, record] : cache_.records) record = "{";
  build(graph, base);
  EXPECT_THAT(ran_, ElementsAre("base"));
}

TEST_F(EngineTest, PreparationBeginsOnlyWhenTheStepSurelyRuns) {
  int prepared = 0;
  const auto graph_of = [&](Graph& graph, const std::string& word) {
    return add(graph, "rootfs", {.word = word, .prepare = [&] { ++prepared; }});
  };
  Graph first, second, third;
  build(first, graph_of(first, "one"));
  EXPECT_EQ(prepared, 1);
  build(second, graph_of(second, "one"));
  EXPECT_EQ(prepared, 1);
  build(third, graph_of(third, "two"));
  EXPECT_EQ(prepared, 2);
}

TEST_F(EngineTest, PreparationWaitsForRoomInTheLaneAndNotForInputs) {
  Graph graph;
  std::vector<std::string> order;
  const auto input = add(graph, "input", {.freshness = Freshness::kAsked, .make = [&](Context&) {
                                            order.push_back("input");
                                            return Text{"input"};
                                          }});
  const auto step = [&](const std::string& id) {
    return add(graph, id,
               {.inputs = {when_run(input)},
                .lane = "sandbox",
                .make =
                    [&, id](Context&) {
                      order.push_back("run " + id);
                      return Text{id};
                    },
                .prepare = [&, id] { order.push_back("prepare " + id); }});
  };
  const auto a = step("a");
  const auto b = step("b");
  build(graph, add(graph, "top", {.inputs = {bytes_of(a), bytes_of(b)}}), 2);
  EXPECT_THAT(order, ElementsAre("prepare a", "input", "run a", "run b"));
}

TEST_F(EngineTest, WhatIsKnownFromElsewhereSeemsNewOnlyOnce) {
  int prepared = 0;
  const auto build_with = [&](const std::string& word) {
    Graph graph;
    build(graph, add(graph, "rootfs", {.word = word, .prepare = [&] { ++prepared; }}));
  };
  build_with("one");
  build_with("two");
  EXPECT_EQ(prepared, 2);
  build_with("one");
  EXPECT_EQ(prepared, 3) << "known, but that is seen too late";
  build_with("one");
  EXPECT_EQ(prepared, 3);
}

TEST_F(EngineTest, FingerprintsDependOnKindVersionParametersInputsAndToolsAlone) {
  StepRecord step;
  step.id = "demo/rootfs";
  step.kind = "rootfs";
  step.parameters = R"({"a":1})";
  const auto print = [](const StepRecord& row, const std::map<std::string, std::string>& inputs = {},
                        const Tools& tools = {}) { return canonical_text(row, inputs, tools); };
  const std::string before = print(step);
  step.id = "other/rootfs";
  step.summary = "in other words";
  EXPECT_EQ(print(step), before);
  StepRecord changed = step;
  changed.kind = "squashfs";
  EXPECT_NE(print(changed), before);
  changed = step;
  changed.parameters = R"({"a":2})";
  EXPECT_NE(print(changed), before);
  EXPECT_NE(print(step, {{"base", "\"abc\""}}), before);
  EXPECT_NE(print(step, {}, {{"mksquashfs", "4.5"}}), before);
}

}  // namespace
}  // namespace imgforge::engine
