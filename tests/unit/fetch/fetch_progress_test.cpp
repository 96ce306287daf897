// What is told while files come.
#include "builder/fetch/download/fetch_progress.hpp"

#include <gmock/gmock.h>

#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FetchProgressTest : public ::testing::Test {
 protected:
  const core::Amount& amount() const { return lab_.progress.amounts.back(); }
  imgforge::testing::FetchLab lab_;
};

TEST_F(FetchProgressTest, OneFileIsCalledByItsName) {
  FetchProgress progress(lab_.context, 1, "the base");
  progress.expect(100);
  progress.have(40);
  progress.add(25);
  EXPECT_EQ(amount().done, 65U);
  EXPECT_EQ(amount().total, 100U);
  EXPECT_EQ(amount().found, 40U);
  progress.waiting("waiting for another one");
  progress.add(35);
  progress.done();
  EXPECT_THAT(lab_.progress.details, ElementsAre("the base", "waiting for another one", "the base"));
  EXPECT_THAT(lab_.progress.lines, ElementsAre("begin download", "done download"));
}

TEST_F(FetchProgressTest, TheTotalIsKnownWhenAllSizesAre) {
  FetchProgress progress(lab_.context, 2, "");
  progress.expect(100);
  progress.add(10);
  EXPECT_FALSE(amount().total);
  progress.expect(50);
  progress.add(10);
  EXPECT_EQ(amount().total, 150U);
  progress.take_back(15);  // the second one changed while it was fetched
  progress.forget(50);
  progress.add(1);
  EXPECT_EQ(amount().done, 6U);
  EXPECT_FALSE(amount().total);
  progress.finish_one();
  EXPECT_THAT(lab_.progress.details, ElementsAre("0 of 2 files", "1 of 2 files"));
}

TEST_F(FetchProgressTest, DownloadsArePartsAndFailWithWhatTheyArePartsOf) {
  core::Activity base = lab_.progress.begin("base");
  lab_.context.activity = &base;
  { const FetchProgress progress(lab_.context, 1, "x"); }
  EXPECT_THAT(lab_.progress.lines,
              ElementsAre("begin base", "begin base > download", "failed base > download"));
}

TEST_F(FetchProgressTest, NothingToFetchIsNothingToTell) {
  FetchProgress progress(lab_.context, 0, "");
  progress.done();
  EXPECT_THAT(lab_.progress.lines, IsEmpty());
  EXPECT_THAT(lab_.progress.details, IsEmpty());
}

}  // namespace
}  // namespace imgforge::fetch
