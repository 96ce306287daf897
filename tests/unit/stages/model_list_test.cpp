// Numbers and signatures of the list of models that a machine fetches itself.
#include "builder/stages/model_list.hpp"

#include <gtest/gtest.h>

#include "builder/stages/step_cache.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

class NumberedList : public ::testing::Test {
 protected:
  ListSigner at(std::int64_t seconds, const std::string& key = "K") {
    return {[this, key, seconds](std::string_view file, std::string_view bytes) {
              ++signatures_;
              EXPECT_EQ(file, "models.list");
              return key + std::to_string(seconds) + std::string(bytes);
            },
            key, core::UnixTime(std::chrono::seconds(seconds))};
  }
  ModelList list(const std::string& rows, const ListSigner& signer,
                 std::optional<std::uint64_t> fixed = std::nullopt) {
    return numbered_list(steps_, "demo", rows, signer, fixed);
  }
  int signatures_ = 0;
  core::TempDir folder_{std::filesystem::temp_directory_path(), "model-list-test"};
  StepCache steps_{folder_ / "steps"};
};

TEST_F(NumberedList, HasTheTimeOfItsFirstBuildAndKeepsItAsLongAsItStays) {
  const ModelList first = list("a\n", at(1000));
  EXPECT_EQ(first.text, "# serial: 1000\na\n");
  EXPECT_EQ(first.signature, "K1000# serial: 1000\na\n");
  const ModelList again = list("a\n", at(2000));
  EXPECT_EQ(again.text, first.text);
  EXPECT_EQ(again.signature, first.signature);
  EXPECT_EQ(signatures_, 1);
  EXPECT_FALSE(again.clash);
}

TEST_F(NumberedList, AnOtherListIsAlwaysHigher) {
  EXPECT_EQ(list("a\n", at(1000)).serial, 1000U);
  EXPECT_EQ(list("b\n", at(2000)).serial, 2000U);
  EXPECT_EQ(list("a\n", at(3000)).serial, 3000U) << "what was offered before is a new list";
  EXPECT_EQ(list("b\n", at(3000)).serial, 3001U) << "twice in a second";
  EXPECT_EQ(list("c\n", at(5)).serial, 3002U) << "a clock that went back";
  EXPECT_EQ(list("c\n", at(9000)).serial, 3002U);
  EXPECT_EQ(list("a\n", at(0)).serial, 3003U);
  EXPECT_EQ(signatures_, 6);
}

TEST_F(NumberedList, ThatOfTheRecipeCountsAndAClashIsSaid) {
  EXPECT_EQ(list("a\n", at(1000), 7).text, "# serial: 7\na\n");
  const ModelList same = list("b\n", at(1000), 7);
  EXPECT_EQ(same.serial, 7U);
  EXPECT_EQ(same.clash, 7U);
  EXPECT_EQ(list("c\n", at(1000), 6).clash, 7U);
  EXPECT_FALSE(list("d\n", at(1000), 8).clash);
  EXPECT_FALSE(list("d\n", at(1000), 8).clash);
  EXPECT_EQ(list("d\n", at(1000), 9).text, "# serial: 9\nd\n");
  EXPECT_EQ(list("d\n", at(5000)).serial, 9U) << "the same list keeps its number";
  EXPECT_EQ(list("d\n", at(5000), 3).clash, 9U);
}

TEST_F(NumberedList, AGivenTimeIsThatOfTheSignatureToo) {
  list("a\n", at(1000), 500);
  ListSigner given = at(500);
  given.time_is_given = true;
  EXPECT_EQ(list("a\n", given, 500).signature, "K500# serial: 500\na\n");
  EXPECT_EQ(list("a\n", given, 500).signature, "K500# serial: 500\na\n");
}

TEST_F(NumberedList, KeysAndLinesHaveTheirOwn) {
  list("a\n", at(1000));
  EXPECT_EQ(list("a\n", at(2000, "other")).signature, "other2000# serial: 2000\na\n");
  EXPECT_EQ(numbered_list(steps_, "line", "a\n", at(3000), std::nullopt).serial, 3000U);
  const ModelList unsigned_list = list("a\n", {{}, {}, core::UnixTime(std::chrono::seconds(4000))});
  EXPECT_EQ(unsigned_list.serial, 4000U);
  EXPECT_TRUE(unsigned_list.signature.empty());
}

}  // namespace
}  // namespace imgforge::stages
