#include "builder/machine/surroundings.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>

#include "core/temp_dir.hpp"

namespace imgforge::machine {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;

mode_t current_umask() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return mask;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "(unset)" : value;
}

TEST(OtherSurroundings, AreOtherOnesUntilTheyEnd) {
  const core::TempDir folder(fs::temp_directory_path(), "imgforge-test");
  const fs::path directory = fs::current_path();
  const mode_t mask = current_umask();
  const std::string zone = variable("TZ");
  const std::string locale = variable("LC_ALL");
  cpu_set_t processors;
  ASSERT_EQ(::sched_getaffinity(0, sizeof processors, &processors), 0);
  {
    const OtherSurroundings other(folder.path());
    EXPECT_NE(fs::current_path(), directory);
    EXPECT_NE(current_umask(), mask);
    EXPECT_NE(variable("TZ"), zone);
    EXPECT_NE(variable("LC_ALL"), locale);
    EXPECT_TRUE(variable("TMPDIR").starts_with(folder.path().native()));
    cpu_set_t now;
    ASSERT_EQ(::sched_getaffinity(0, sizeof now, &now), 0);
    EXPECT_EQ(CPU_COUNT(&now), 1);
    EXPECT_THAT(other.varied(), Contains("TZ"));
  }
  EXPECT_EQ(fs::current_path(), directory);
  EXPECT_EQ(current_umask(), mask);
  EXPECT_EQ(variable("TZ"), zone);
  EXPECT_EQ(variable("LC_ALL"), locale);
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&after, &processors));
}

}  // namespace
}  // namespace imgforge::machine
