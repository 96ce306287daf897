// What a recipe on one of Alpine's ISO images may say.
#include "builder/recipe/iso_base.hpp"

#include <gtest/gtest.h>

#include "unit/recipe/recipe_testing.hpp"

namespace imgforge::recipe {
namespace {

using testing::error_of;
using testing::parsed;
using testing::with_head;

ResolvedRecipe on_iso(const std::string& rest) {
  return resolve(parsed(with_head("base: { alpine: { release: 3.22, flavor: virt-iso } }\n" + rest)), "", {});
}

TEST(IsoBase, IsTheFlavorOfTheMirrorWithAnEnding) {
  const ResolvedRecipe recipe = on_iso("formats: [iso]\npackages: { add: [jq, openssh=9.6_p1-r0] }\n");
  ASSERT_NE(recipe.iso_base(), nullptr);
  EXPECT_EQ(recipe.iso_base()->mirror_flavor(), "virt");
  const ResolvedRecipe usual = resolve(parsed(with_head("base: { alpine: { release: 3.22 } }\n")), "", {});
  EXPECT_EQ(usual.iso_base(), nullptr);
  EXPECT_EQ(std::get<AlpineBase>(usual.base).mirror_flavor(), "minirootfs");
}

TEST(IsoBase, RefusesAtItsPlaceWhatAMediumCannotDo) {
  const auto refused = [](const std::string& rest, const std::string& says, int line) {
    const core::Error error = error_of([&] { on_iso(rest); });
    EXPECT_EQ(error.kind(), core::Kind::kRecipe) << rest;
    EXPECT_NE(error.message().find(says), std::string::npos) << error.message();
    ASSERT_TRUE(error.mark()) << rest;
    EXPECT_EQ(static_cast<int>(error.mark()->line), line) << rest;
    EXPECT_FALSE(error.hint().empty());
  };
  refused("formats: [iso, qcow2]\n", "makes only the format iso, not qcow2", 4);
  refused("formats: [iso]\nrun: [\"true\"]\n", "run cannot be used", 5);
  refused("formats: [iso]\nkernel: { cmdline: [quiet] }\n", "kernel.cmdline cannot", 5);
  refused("formats: [iso]\nkernel: { initramfs_modules: [loop] }\n", "kernel.initramfs_modules cannot", 5);
  refused("formats: [iso]\npackages: { remove: [apk-tools] }\n", "packages.remove cannot", 5);
  refused("formats: [iso]\npackages: { add: [\"jq>1\"] }\n", "one version of each package", 5);
  // The default format is not possible either, and the message says what to write.
  const core::Error error = error_of([] { on_iso(""); });
  EXPECT_NE(error.hint().find("formats: [iso]"), std::string::npos) << error.hint();
}

TEST(IsoBase, OtherFlavorsAreNoWords) {
  const core::Error error = error_of(
      [] { resolve(parsed(with_head("base: { alpine: { release: 3.22, flavor: virt } }\n")), "", {}); });
  EXPECT_EQ(error.kind(), core::Kind::kRecipe);
}

}  // namespace
}  // namespace imgforge::recipe
