// The user's configuration file.
#include "builder/cli/frame/configuration.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {
namespace {

using ::testing::HasSubstr;

class Configuration : public ::testing::Test {
 protected:
  Configuration() {
    OptionSet& build = line_.options().command("build", "builds");
    build.option("-j,--jobs", jobs_, "").between(1, 64);
    build.option("--isolation", isolation_, "").one_of({"auto", "appliance", "namespace"});
    build.flag("--offline", offline_, "");
    build.option("--set", sets_, "");
    OptionSet& doctor = line_.options().command("doctor", "looks");
    doctor.option("--isolation", doctors_, "").one_of({"auto", "appliance", "namespace"});
    line_.read_environment("IMGFORGE_TEST_");
    ::unsetenv("IMGFORGE_TEST_JOBS");
  }
  ~Configuration() override { ::unsetenv("IMGFORGE_TEST_JOBS"); }

  void apply(const std::string& text) {
    core::write_file_atomically(file_, text);
    apply_configuration(line_, file_);
  }
  void parse(std::vector<const char*> words) {
    words.insert(words.begin(), "tool");
    line_.parse(static_cast<int>(words.size()), words.data());
  }
  core::Error fault(const std::string& text) {
    try {
      apply(text);
    } catch (const core::Error& error) {
      return error;
    }
    return {core::Kind::kInternal, "no fault"};
  }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-configuration"};
  std::filesystem::path file_ = folder_ / "config.yaml";
  CommandLine line_{"tool", "Does things.", "1"};
  unsigned jobs_ = 8;
  std::string isolation_ = "auto";
  std::string doctors_ = "auto";
  bool offline_ = false;
  std::vector<std::string> sets_;
};

TEST_F(Configuration, GivesWhatNobodySays) {
  apply("isolation: namespace\njobs: 4\noffline: true\n");
  parse({"build"});
  EXPECT_EQ(isolation_, "namespace");
  EXPECT_EQ(doctors_, "namespace");
  EXPECT_EQ(jobs_, 4U);
  EXPECT_TRUE(offline_);
}

TEST_F(Configuration, YieldsToTheEnvironmentAndThatToTheCommandLine) {
  apply("jobs: 4\nisolation: namespace\n");
  ::setenv("IMGFORGE_TEST_JOBS", "5", 1);
  parse({"build", "--isolation", "appliance"});
  EXPECT_EQ(jobs_, 5U);
  EXPECT_EQ(isolation_, "appliance");
  EXPECT_EQ(doctors_, "namespace");
}

TEST_F(Configuration, MayBeMissingAndMayBeEmptyOfKeys) {
  apply_configuration(line_, folder_ / "none.yaml");
  apply("{}\n");
  parse({"build"});
  EXPECT_EQ(jobs_, 8U);
}

TEST_F(Configuration, RefusesWordsThatAreNoOptionsWithTheirPlace) {
  const core::Error error = fault("jobs: 4\nisolatoin: namespace\n");
  EXPECT_EQ(error.kind(), core::Kind::kUsage);
  EXPECT_THAT(error.message(), HasSubstr("isolatoin"));
  EXPECT_EQ(error.hint(), "did you mean isolation?");
  ASSERT_TRUE(error.mark());
  EXPECT_EQ(error.mark()->line, 2);
}

TEST_F(Configuration, RefusesValuesThatTheOptionDoesNotTake) {
  EXPECT_THAT(fault("jobs: 400\n").message(), HasSubstr("400"));
  EXPECT_THAT(fault("isolation: chroot\n").message(), HasSubstr("chroot"));
  EXPECT_THAT(fault("offline: perhaps\n").message(), HasSubstr("perhaps"));
  EXPECT_THAT(fault("jobs: [1, 2]\n").message(), HasSubstr("one word"));
  EXPECT_THAT(fault("jobs:\n").message(), HasSubstr("one word"));
}

TEST_F(Configuration, GivesNoHelpAndNoVersion) {
  EXPECT_THAT(fault("help: true\n").message(), HasSubstr("there is no option"));
}

}  // namespace
}  // namespace imgforge::cli
