#include "builder/plan/plan.hpp"

#include <gtest/gtest.h>

#include <set>

#include "artifacts/formats.hpp"

namespace imgforge::plan {
namespace {

recipe::ResolvedRecipe alpine_recipe() {
  recipe::ResolvedRecipe recipe;
  recipe.name = "demo";
  recipe.profile = "minimal";
  recipe.version = "v20261120";
  recipe::AlpineBase base;
  base.release = "3.22";
  base.mirrors = {"https://one.example/alpine"};
  recipe.base = base;
  recipe.packages.repositories = {{"main", {}}};
  recipe.packages.add = {{"alpine-base", {}}, {"openrc", {}}};
  recipe.hostname = "demo";
  recipe.kernel.package = "linux-virt";
  recipe.formats = {{"qcow2", {}}, {"raw", {}}};
  return recipe;
}

core::Digest rootfs_fingerprint(const recipe::ResolvedRecipe& recipe) {
  return fingerprint(make_plan(recipe).at("demo-minimal/rootfs"), core::Json::object(), core::Json::object())
      .digest;
}

TEST(Plan, AnAlpineProfileHasEveryStepInOrder) {
  std::vector<std::string> ids;
  for (const Step& step : make_plan(alpine_recipe()).steps) ids.push_back(step.id());
  EXPECT_EQ(ids,
            (std::vector<std::string>{"demo-minimal/base", "demo-minimal/indexes", "demo-minimal/packages",
                                      "demo-minimal/rootfs", "demo-minimal/boot files", "demo-minimal/qcow2",
                                      "demo-minimal/raw", "demo-minimal/release"}));
}

TEST(Plan, AnIsoBaseIsOnlyRemastered) {
  recipe::ResolvedRecipe recipe = alpine_recipe();
  std::get<recipe::AlpineBase>(recipe.base).flavor = "virt-iso";
  recipe.formats = {{"iso", {}}};
  const auto steps = [&] { return make_plan(recipe).steps; };
  ASSERT_EQ(steps().size(), 3u);
  EXPECT_EQ(steps()[0].summary, "Alpine 3.22 x86_64 virt-iso");
  EXPECT_EQ(steps()[1].id(), "demo-minimal/iso");
  EXPECT_EQ(steps()[2].id(), "demo-minimal/release");
  const core::Json before = steps()[1].parameters;
  recipe.packages.add.push_back({"chrony", {}});
  EXPECT_NE(steps()[1].parameters, before);
  const core::Json with_package = steps()[1].parameters;
  recipe.hostname = "other";
  EXPECT_NE(steps()[1].parameters, with_package);
  const core::Json with_name = steps()[1].parameters;
  recipe.iso_volume_id = "OTHER";
  EXPECT_NE(steps()[1].parameters, with_name);
}

TEST(Plan, TheEmbeddedBaseNeedsNoIndexesAndNoPackages) {
  recipe::ResolvedRecipe recipe = alpine_recipe();
  recipe.base = recipe::EmbeddedBase{};
  for (const Step& step : make_plan(recipe).steps) {
    EXPECT_NE(step.kind, StepKind::kIndexes);
    EXPECT_NE(step.kind, StepKind::kPackages);
  }
}

TEST(Plan, EveryStepReadsOnlyEarlierOnes) {
  const Plan plan = make_plan(alpine_recipe());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    for (const std::string& input : plan.steps[i].after) {
      const auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                                      [&](const Step& step) { return step.id() == input; });
      EXPECT_LT(found - plan.steps.begin(), static_cast<std::ptrdiff_t>(i)) << input;
    }
  }
}

TEST(Fingerprint, IsTheSameForEqualInputsWhereverTheyComeFrom) {
  recipe::ResolvedRecipe other = alpine_recipe();
  std::get<recipe::AlpineBase>(other.base).mirrors = {"file:///elsewhere"};
  other.folder = "/another/place";
  other.description = "words";
  other.disk.size = core::gib(4);
  other.version = "v20261121";
  EXPECT_EQ(rootfs_fingerprint(alpine_recipe()), rootfs_fingerprint(other));
}

TEST(Fingerprint, ChangesWithWhatInfluencesTheResult) {
  const core::Digest before = rootfs_fingerprint(alpine_recipe());
  recipe::ResolvedRecipe hostname = alpine_recipe();
  hostname.hostname = "other";
  EXPECT_NE(rootfs_fingerprint(hostname), before);
  recipe::ResolvedRecipe file = alpine_recipe();
  file.files.push_back({"/etc/x", "content", 0644, "root", "root", {}});
  const core::Digest with_file = rootfs_fingerprint(file);
  EXPECT_NE(with_file, before);
  file.files[0].content = "other content";
  EXPECT_NE(rootfs_fingerprint(file), with_file);
  recipe::ResolvedRecipe step = alpine_recipe();
  step.run.push_back({"true", {}});
  EXPECT_NE(rootfs_fingerprint(step), before);
}

TEST(Fingerprint, CoversInputsAndTools) {
  const Plan plan = make_plan(alpine_recipe());
  const Step& step = plan.at("demo-minimal/qcow2");
  const core::Json inputs{{"rootfs", "1"}};
  const core::Json tools{{"qemu-img", "7.2"}};
  const Fingerprint first = fingerprint(step, inputs, tools);
  EXPECT_EQ(first, fingerprint(step, inputs, tools));
  EXPECT_FALSE(first == fingerprint(step, {{"rootfs", "2"}}, tools));
  EXPECT_FALSE(first == fingerprint(step, inputs, {{"qemu-img", "8.0"}}));
}

TEST(Why, SaysWhatChangedInWords) {
  const Plan before = make_plan(alpine_recipe());
  recipe::ResolvedRecipe changed = alpine_recipe();
  changed.packages.add.push_back({"chrony", {}});
  const Plan after = make_plan(changed);
  const core::Json none = core::Json::object();
  const std::string text = explain_difference(canonical_text(before.at("demo-minimal/packages"), none, none),
                                              canonical_text(after.at("demo-minimal/packages"), none, none));
  EXPECT_NE(text.find("add gained \"chrony\""), std::string::npos) << text;
  EXPECT_EQ(explain_difference("{}", "{}"), "");
}

TEST(PlanOfAllFormats, NoTwoStepsHaveTheSameId) {
  recipe::ResolvedRecipe recipe;
  recipe.name = "demo";
  recipe.base = recipe::EmbeddedBase{};
  for (const std::string_view name : artifacts::kFormatNames)
    recipe.formats.push_back({std::string(name), {}});
  std::set<std::string> ids;
  for (const Step& step : make_plan(recipe).steps) EXPECT_TRUE(ids.insert(step.id()).second) << step.id();
}

}  // namespace
}  // namespace imgforge::plan
