#include "builder/stages/step_cache.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;

class StepCacheTest : public ::testing::Test {
 protected:
  plan::Step step() const {
    plan::Step out;
    out.kind = plan::StepKind::kRootfs;
    out.line = "demo";
    return out;
  }
  core::TempDir folder_{fs::temp_directory_path(), "step-cache-test"};
  StepCache cache_{folder_ / "steps"};
  plan::Fingerprint key_ = plan::fingerprint(step(), {{"in", 1}}, core::Json::object());
};

TEST_F(StepCacheTest, WhatIsUnknownIsAbsentAndWritesNothing) {
  EXPECT_FALSE(cache_.find(key_));
  EXPECT_FALSE(cache_.last_text(step()));
  EXPECT_FALSE(fs::exists(folder_ / "steps"));
}

TEST_F(StepCacheTest, AResultIsFoundByItsFingerprintAlone) {
  cache_.store(step(), key_, "text", {{"sha256", "abc"}});
  EXPECT_EQ(cache_.find(key_)->at("sha256"), "abc");
  EXPECT_FALSE(cache_.find(plan::fingerprint(step(), {{"in", 2}}, core::Json::object())));
  EXPECT_EQ(*cache_.last_text(step()), "text");
}

TEST_F(StepCacheTest, ADamagedRecordCountsAsAbsentAndIsReplaced) {
  cache_.store(step(), key_, "text", {{"sha256", "abc"}});
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "steps")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "{ cut";
  }
  EXPECT_FALSE(cache_.find(key_));
  EXPECT_FALSE(cache_.last_text(step()));
  cache_.store(step(), key_, "text", {{"sha256", "def"}});
  EXPECT_EQ(cache_.find(key_)->at("sha256"), "def");
}

}  // namespace
}  // namespace imgforge::stages
