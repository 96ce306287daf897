#include "builder/cache/fresh_steps.hpp"

#include <gtest/gtest.h>

#include "core/temp_dir.hpp"

namespace imgforge::cache {
namespace {

TEST(FreshSteps, KnowOnlyWhatWasMadeThroughThem) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-test");
  const core::Digest old_print = core::digest_of(core::HashAlgorithm::kSha256, "old");
  const core::Digest new_print = core::digest_of(core::HashAlgorithm::kSha256, "new");
  StepCache steps(folder / "steps");
  steps.store("line/rootfs", old_print, "old", "{\"made\":1}");
  ASSERT_TRUE(steps.find(old_print));
  FreshSteps fresh(folder / "steps");
  EXPECT_FALSE(fresh.find(old_print));
  fresh.store("line/rootfs", new_print, "new", "{\"made\":2}");
  EXPECT_TRUE(fresh.find(new_print));
  EXPECT_EQ(steps.find(new_print), fresh.find(new_print));
}

}  // namespace
}  // namespace imgforge::cache
