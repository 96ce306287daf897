// The list `vex`: each status with the explanation that OpenVEX wants, and no other.
#include "builder/recipe/vex.hpp"

#include "builder/recipe/show/show.hpp"
#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::expect_refused;
using testing::parsed;
using testing::resolved;
using testing::with_head;

constexpr const char* kTwo =
    "vex:\n"
    "  - { vulnerability: CVE-2023-1, package: busybox, status: not_affected, justification: "
    "vulnerable_code_not_present }\n"
    "  - { vulnerability: CVE-2023-1, package: musl, status: affected, action_statement: update, "
    "status_notes: "
    "\"seen: so\" }\n";

TEST(Vex, IsRead) {
  const ResolvedRecipe recipe = resolved(kTwo);
  ASSERT_EQ(recipe.vex.size(), 2U);
  EXPECT_EQ(recipe.vex[0].vulnerability, "CVE-2023-1");
  EXPECT_EQ(recipe.vex[0].package, "busybox");
  EXPECT_EQ(recipe.vex[0].status, "not_affected");
  EXPECT_EQ(recipe.vex[0].justification, "vulnerable_code_not_present");
  EXPECT_EQ(recipe.vex[1].action_statement, "update");
  EXPECT_EQ(recipe.vex[1].status_notes, "seen: so");
}

TEST(Vex, SurvivesTheRecipeThatAReleaseKeeps) {
  const ResolvedRecipe recipe = resolved(kTwo);
  const ResolvedRecipe again = resolve(parse_recipe(portable_yaml(recipe), "r.yaml", "/nonexistent"), "", {});
  EXPECT_EQ(to_json(again).dump(), to_json(recipe).dump());
  EXPECT_EQ(again.vex.size(), 2U);
}

TEST(Vex, ProfilesAddReplaceAndRemove) {
  const std::string profiles =
      std::string(kTwo) +
      "profiles:\n"
      "  more: { +vex: [{ vulnerability: CVE-2023-1, package: musl, status: fixed }, { "
      "vulnerability: CVE-2, package: musl, status: fixed }] }\n"
      "  less: { -vex: [CVE-2023-1] }\n";
  const ResolvedRecipe more = resolved(profiles, "more");
  ASSERT_EQ(more.vex.size(), 3U);
  EXPECT_EQ(more.vex[1].status, "fixed") << "the same vulnerability of the same package is replaced";
  EXPECT_TRUE(resolved(profiles, "less").vex.empty());
}

void expect_row_refused(const std::string& row, int column, const std::string& words) {
  expect_refused(with_head("base: embedded\nvex:\n  - " + row + "\n"), 5, column, words);
}

TEST(Vex, AStatusWithoutItsExplanationIsRefused) {
  const std::string head = "{ vulnerability: CVE-1, package: a, status: ";
  expect_row_refused(head + "not_affected }", 49, "needs a justification or an impact_statement");
  expect_row_refused(head + "affected }", 49, "affected needs an action_statement");
  expect_row_refused(head + "not_affected, justification: component_not_present, impact_statement: x }", 119,
                     "both given");
  expect_row_refused(head + "fixed, justification: component_not_present }", 71,
                     "does not go with the status fixed");
  expect_row_refused(head + "affected, action_statement: x, impact_statement: y }", 98, "does not go with");
  expect_row_refused(head + "not_affected, impact_statement: x, action_statement: y }", 102,
                     "does not go with");
  expect_row_refused(head + "under_investigation, action_statement: y }", 88, "does not go with");
}

TEST(Vex, UnknownWordsAreRefusedWithTheNearest) {
  expect_row_refused("{ vulnerability: CVE-1, package: a, status: not_afected }", 49,
                     "did you mean \"not_affected\"?");
  expect_row_refused("{ vulnerability: CVE-1, package: a, status: not_affected, justification: not_present }",
                     78, "vex.justification must be");
  expect_row_refused("{ vulnerability: CVE-1, status: fixed }", 5, "\"package\" is missing");
  expect_row_refused("{ vulnerability: CVE 1, package: a, status: fixed }", 22, "one word");
  expect_row_refused("{ vulnerability: CVE-1, package: a, status: fixed, product: x }", 56, "product");
}

TEST(Vex, OneStatementAboutAPackageAndAVulnerability) {
  expect_refused(with_head("base: embedded\nvex:\n"
                           "  - { vulnerability: CVE-1, package: a, status: fixed }\n"
                           "  - { vulnerability: CVE-1, package: a, status: under_investigation }\n"),
                 6, 5, "\"CVE-1 a\" is listed twice in vex");
}

}  // namespace
}  // namespace imgforge::recipe
