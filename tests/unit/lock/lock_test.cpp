// Locks as text and back, what makes one stale, and what is said to have changed.
#include "builder/lock/lock.hpp"

#include <gtest/gtest.h>

#include "builder/lock/compare.hpp"
#include "builder/lock/stale.hpp"
#include "core/text.hpp"

namespace imgforge::lock {
namespace {

core::Digest digest(const std::string& text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

LockedPackage package(const std::string& name, const std::string& version) {
  const std::string file = name + "-" + version + ".apk";
  return {name,
          version,
          "x86_64",
          "main",
          "https://mirror.example/alpine/v3.22/main/x86_64/" + file,
          core::digest_of(core::HashAlgorithm::kSha1, file),
          digest(file),
          100,
          1700000000};
}

Lock example() {
  Lock lock;
  lock.recipe = "demo.yaml";
  lock.bases.push_back({"minirootfs", "3.22.2", "v3.22", "x86_64", "https://mirror.example/base.tar.gz",
                        digest("base"), 3000000});
  lock.indexes.push_back({"main", "https://mirror.example/APKINDEX.tar.gz", "x86_64", digest("index")});
  lock.packages = {package("busybox", "1.37.0-r1"), package("jq", "1.7.1-r0")};
  LockedProfile profile;
  profile.name = "minimal";
  profile.request = {"alpine 3.22 x86_64 minirootfs",
                     {"main"},
                     {"jq"},
                     {"motd"},
                     {"build tiny https://m.example/tiny.gguf"}};
  profile.base = 0;
  profile.steps = {{"upgrade", "busybox", "1.37.0-r1", "1.37.0-r0"},
                   {"install", "jq", "1.7.1-r0", ""},
                   {"remove", "motd", "1.0-r0", ""}};
  lock.profiles.push_back(profile);
  models::Model model;
  model.name = "tiny";
  model.version = "1";
  model.source = recipe::parse_model_source("https://m.example/tiny.gguf");
  model.files.push_back(
      {.path = "tiny.gguf", .urls = {"https://m.example/tiny.gguf"}, .sha256 = digest("tiny"), .size = 4});
  lock.models.push_back({model, true});
  lock.tools = {{"mke2fs", "1.47.0"}};
  return lock;
}

recipe::ResolvedRecipe asking() {
  recipe::ResolvedRecipe recipe;
  recipe.name = "demo";
  recipe.profile = "minimal";
  recipe::AlpineBase base;
  base.release = "3.22";
  base.mark = {"demo.yaml", 3, 3, 0, ""};
  recipe.base = base;
  recipe.packages.repositories = {{"main", {}}};
  recipe.packages.add = {{"jq", {"demo.yaml", 7, 9, 2, ""}}};
  recipe.packages.remove = {{"motd", {}}};
  recipe::Model model;
  model.name = "tiny";
  model.source = recipe::parse_model_source("https://m.example/tiny.gguf");
  model.mark = {"demo.yaml", 11, 5, 4, ""};
  recipe.models = {model};
  return recipe;
}

TEST(Lock, TextGivesTheSameLockBack) {
  const std::string text = print_lock(example());
  const Lock again = parse_lock(text, "demo.lock.json");
  EXPECT_EQ(again.recipe, "demo.yaml");
  EXPECT_EQ(again.bases, example().bases);
  EXPECT_EQ(again.indexes, example().indexes);
  EXPECT_EQ(again.packages, example().packages);
  ASSERT_EQ(again.profiles.size(), 1U);
  EXPECT_EQ(again.profiles[0].request, example().profiles[0].request);
  EXPECT_EQ(again.profiles[0].base, 0U);
  EXPECT_EQ(again.profiles[0].steps, example().profiles[0].steps);
  ASSERT_EQ(again.models.size(), 1U);
  EXPECT_TRUE(again.models[0].is_in_image);
  EXPECT_EQ(again.models[0].model.digest(), digest("tiny"));
  EXPECT_EQ(again.find_model("tiny", "https://m.example/tiny.gguf"), &again.models[0]);
  EXPECT_EQ(again.find_model("tiny", "https://m.example/other.gguf"), nullptr);
  EXPECT_EQ(again.tools, example().tools);
  EXPECT_EQ(print_lock(again), text);
}

TEST(Lock, ChecksumsOfPackagesMayBeSha256) {
  Lock lock = example();
  lock.packages[1].identity = digest("database");
  const std::string text = print_lock(lock);
  EXPECT_NE(text.find("\"checksum\": \"Q2"), std::string::npos) << text;
  EXPECT_EQ(parse_lock(text, "demo.lock.json").packages, lock.packages);
  std::string bad = text;
  bad.replace(bad.find("\"Q2"), 3, "\"Q1");
  EXPECT_THROW(parse_lock(bad, "demo.lock.json"), core::Error);
}

TEST(Lock, EveryPackageHasALineOfItsOwnSoThatChangesMerge) {
  const std::vector<std::string> lines = core::split(print_lock(example()), '\n');
  const auto of = [&](const std::string& words) {
    return std::count_if(lines.begin(), lines.end(),
                         [&](const std::string& line) { return line.find(words) != std::string::npos; });
  };
  EXPECT_EQ(of("{\"name\": \"jq\", \"version\": \"1.7.1-r0\""), 1);
  EXPECT_EQ(of("\"upgrade busybox 1.37.0-r0 -> 1.37.0-r1\""), 1);
}

TEST(Lock, StandsBesideItsRecipe) {
  EXPECT_EQ(lock_path("recipes/demo.yaml"), "recipes/demo.lock.json");
}

TEST(Stale, NotWhenTheProfileAsksForTheSame) {
  EXPECT_FALSE(find_staleness(example(), asking()).has_value());
}

TEST(Stale, NewPackageIsToldAtItsLine) {
  recipe::ResolvedRecipe recipe = asking();
  recipe.packages.add.push_back({"curl", {"demo.yaml", 8, 9, 4, ""}});
  const auto found = find_staleness(example(), recipe);
  ASSERT_TRUE(found.has_value());
  EXPECT_NE(found->text.find("\"curl\""), std::string::npos);
  ASSERT_TRUE(found->mark.has_value());
  EXPECT_EQ(found->mark->line, 8);
}

TEST(Stale, WhateverElseIsOther) {
  recipe::ResolvedRecipe gone = asking();
  gone.packages.add.clear();
  EXPECT_NE(find_staleness(example(), gone)->text.find("the recipe does not"), std::string::npos);
  recipe::ResolvedRecipe base = asking();
  std::get<recipe::AlpineBase>(base.base).release = "3.23";
  EXPECT_EQ(find_staleness(example(), base)->mark->line, 3);
  recipe::ResolvedRecipe profile = asking();
  profile.profile = "server";
  EXPECT_TRUE(find_staleness(example(), profile).has_value());
  recipe::ResolvedRecipe stays = asking();
  stays.packages.remove.clear();
  EXPECT_TRUE(find_staleness(example(), stays).has_value());
}

TEST(Stale, AnotherModelIsToldAtItsLine) {
  recipe::ResolvedRecipe recipe = asking();
  recipe.models[0].source = recipe::parse_model_source("https://m.example/other.gguf");
  EXPECT_EQ(find_staleness(example(), recipe)->mark->line, 11);
  recipe = asking();
  recipe.models[0].when = recipe::ModelTime::kFirstBoot;
  EXPECT_TRUE(find_staleness(example(), recipe).has_value());
}

TEST(Stale, OrderOfRepositoriesCounts) {
  Lock lock = example();
  lock.profiles[0].request.repositories = {"main", "community"};
  recipe::ResolvedRecipe recipe = asking();
  recipe.packages.repositories = {{"community", {}}, {"main", {}}};
  EXPECT_TRUE(find_staleness(lock, recipe).has_value());
}

TEST(Compare, NamesWhatCameWentAndMoved) {
  Lock after = example();
  after.bases[0].version = "3.22.3";
  after.packages = {package("jq", "1.8.0-r0"), package("oniguruma", "6.9-r0")};
  const auto changes = compare(example(), after);
  ASSERT_EQ(changes.size(), 4U);
  EXPECT_EQ(changes[0].name, "alpine-minirootfs");
  EXPECT_EQ(changes[0].after, "3.22.3");
  EXPECT_EQ(changes[1].name, "busybox");
  EXPECT_EQ(changes[1].after, "");
  EXPECT_EQ(changes[2].before + " -> " + changes[2].after, "1.7.1-r0 -> 1.8.0-r0");
  EXPECT_EQ(changes[3].before, "");
  EXPECT_TRUE(compare(example(), example()).empty());
}

TEST(Compare, OtherBytesUnderTheSameVersionAreAChange) {
  Lock after = example();
  after.packages[1].sha256 = digest("rebuilt");
  const auto changes = compare(example(), after);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_NE(changes[0].before, changes[0].after);
  EXPECT_EQ(changes[0].after, "1.7.1-r0 (" + digest("rebuilt").hex().substr(0, 8) + ")");
}

}  // namespace
}  // namespace imgforge::lock
