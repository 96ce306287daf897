// What machines want of a kernel that lacks it.
#include "builder/machines/operations/kernel_needs.hpp"

#include <gmock/gmock.h>

#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
using ::testing::ElementsAre;
using testing::good_settings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kind_of;

Settings lacks(std::vector<std::string> names) {
  Settings settings = good_settings();
  settings.lacks = std::move(names);
  return settings;
}

TEST(KernelNeeds, OfAManifestOnlyWhatIsKnownToLackCounts) {
  EXPECT_THAT(lacking({{"9p", false}, {"balloon", true}, {"virtiofs", false}}),
              ElementsAre("9p", "virtiofs"));
  EXPECT_THAT(lacking({}), IsEmpty());
}

TEST(KernelNeeds, WhatCanNeverWorkIsRefused) {
  const auto refused = [](const char* feature, auto change) {
    Settings other = lacks({"of-nobody"});
    change(other);
    EXPECT_THAT(check_kernel(other), IsEmpty()) << feature;
    Settings settings = lacks({feature});
    EXPECT_EQ(kind_of([&] { check_kernel(settings); }), std::nullopt) << feature;
    change(settings);
    EXPECT_EQ(kind_of([&] { check_kernel(settings); }), Kind::kUsage) << feature;
  };
  refused("9p", [](Settings& s) { s.shares = {{"/srv", "shared", true}}; });
  refused("virtiofs", [](Settings& s) { s.shares = {{"/srv", "shared", true, "virtiofs"}}; });
  refused("balloon", [](Settings& s) { s.autoscale = {s.memory, 2 * s.memory, 15}; });
  refused("memory-hotplug", [](Settings& s) { s.max_memory = 2 * s.memory; });
  refused("cpu-hotplug", [](Settings& s) { s.max_cpus = 2 * s.cpus; });
}

TEST(KernelNeeds, WhatWorksInPartIsWarnedOf) {
  Settings settings = lacks({"9p", "balloon", "virtio-console"});
  settings.shares = {{"/srv", "shared", false}};
  settings.shared = settings.agent = true;
  settings.max_memory = 2 * settings.memory;
  EXPECT_THAT(check_kernel(settings), ElementsAre(HasSubstr("goes by its agent"), HasSubstr("taken back"),
                                                  HasSubstr("its agent cannot be reached")));
}

TEST(KernelNeeds, ARefusalSaysForWhatAndWho) {
  try {
    need_feature(lacks({"balloon"}), "balloon", "--autoscale");
    ADD_FAILURE();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.message(),
              "--autoscale: the kernel of kodeimage@v20261120 has no balloon, says its manifest");
    EXPECT_THAT(error.hint(), HasSubstr("packages.add"));
  }
  need_feature(lacks({"9p"}), "balloon", "--autoscale");
}

}  // namespace
}  // namespace imgforge::machines
