#include "builder/cache/step_cache.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/temp_dir.hpp"

namespace imgforge::cache {
namespace {

namespace fs = std::filesystem;

core::Digest key(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

class StepCacheTest : public ::testing::Test {
 protected:
  core::TempDir folder_{fs::temp_directory_path(), "step-cache-test"};
  StepCache cache_{folder_ / "steps"};
};

TEST_F(StepCacheTest, WhatIsUnknownIsAbsentAndWritesNothing) {
  EXPECT_FALSE(cache_.find(key("1")));
  EXPECT_FALSE(cache_.last_text("demo/rootfs"));
  EXPECT_FALSE(fs::exists(folder_ / "steps"));
}

TEST_F(StepCacheTest, AResultIsFoundByItsFingerprintAlone) {
  cache_.store("demo/rootfs", key("1"), "text", R"({"sha256":"abc"})");
  EXPECT_EQ(*cache_.find(key("1")), R"({"sha256":"abc"})");
  EXPECT_FALSE(cache_.find(key("2")));
  EXPECT_EQ(*cache_.last_text("demo/rootfs"), "text");
  EXPECT_FALSE(cache_.last_text("demo/raw"));
}

TEST_F(StepCacheTest, ADamagedRecordCountsAsAbsentAndIsReplaced) {
  cache_.store("demo/rootfs", key("1"), "text", R"({"sha256":"abc"})");
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "steps")) {
    if (entry.is_regular_file()) std::ofstream(entry.path()) << "{ cut";
  }
  EXPECT_FALSE(cache_.find(key("1")));
  EXPECT_FALSE(cache_.last_text("demo/rootfs"));
  cache_.store("demo/rootfs", key("1"), "text", R"({"sha256":"def"})");
  EXPECT_EQ(*cache_.find(key("1")), R"({"sha256":"def"})");
}

}  // namespace
}  // namespace imgforge::cache
