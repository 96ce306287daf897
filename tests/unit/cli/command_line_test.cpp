// Wrong command lines of the whole program: exit code 2, and the nearest word is named.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "builder/cli/frame/command.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome run_with(std::vector<const char*> words) {
  words.insert(words.begin(), "imgforge");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run(static_cast<int>(words.size()), words.data());
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

void expect_fault(const std::vector<const char*>& words, const std::string& error, const std::string& hint) {
  const Outcome outcome = run_with(words);
  EXPECT_EQ(outcome.code, 2) << error;
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "error: " + error + "\nhint: " + hint + "\n");
}

TEST(CommandLine, UnknownCommandNamesTheNearest) {
  expect_fault({"buidl"}, "there is no command \"buidl\"", "did you mean build?");
  expect_fault({"buidl", "recipes/a.yaml", "--format", "iso"}, "there is no command \"buidl\"",
               "did you mean build?");
  expect_fault({"--quiet", "valdiate"}, "there is no command \"valdiate\"", "did you mean validate?");
  expect_fault({"buidl", "--help"}, "there is no command \"buidl\"", "did you mean build?");
  expect_fault({"frobnicate"}, "there is no command \"frobnicate\"", "imgforge help");
}

TEST(CommandLine, UnknownCommandBelowACommandNamesTheNearest) {
  expect_fault({"key", "genrate"}, "there is no command \"key genrate\"", "did you mean key generate?");
  expect_fault({"model", "ad", "x", "y"}, "there is no command \"model ad\"", "did you mean model add?");
  expect_fault({"model", "frobnicate"}, "there is no command \"model frobnicate\"", "imgforge help");
}

TEST(CommandLine, UnknownOptionNamesTheNearest) {
  expect_fault({"build", "a.yaml", "--proflie", "x"}, "there is no option \"--proflie\"",
               "did you mean --profile?");
  expect_fault({"build", "--proflie=x"}, "there is no option \"--proflie\"", "did you mean --profile?");
  expect_fault({"list", "--jsno"}, "there is no option \"--jsno\"", "did you mean --json?");
  expect_fault({"--outptu-dir", "x", "list"}, "there is no option \"--outptu-dir\"",
               "did you mean --output-dir?");
  expect_fault({"model", "add", "a", "b", "--fromat", "raw"}, "there is no option \"--fromat\"",
               "did you mean --format?");
  expect_fault({"doctor", "--frobnicate"}, "there is no option \"--frobnicate\"", "imgforge help");
  expect_fault({"doctor", "-x"}, "there is no option \"-x\"", "imgforge help");
  expect_fault({"doctor", "--", "-x"}, "The following argument was not expected: -x", "imgforge help");
}

TEST(CommandLine, UnknownTopicNamesTheNearest) {
  expect_fault({"help", "buidl"}, "there is no help on \"buidl\"", "did you mean build?");
  expect_fault({"help", "exit-code"}, "there is no help on \"exit-code\"", "did you mean exit-codes?");
}

TEST(CommandLine, AMissingCommandIsSaidAsSuch) {
  expect_fault({}, "A subcommand is required", "imgforge help");
  expect_fault({"key"}, "A subcommand is required", "imgforge help");
}

TEST(CommandLine, WithEventsTheErrorIsTheLastOne) {
  for (const bool json : {false, true}) {
    std::vector<const char*> words{"validate", "/nonexistent/recipe.yaml", "--progress", "json"};
    if (json) words.push_back("--json");
    const Outcome outcome = run_with(words);
    EXPECT_NE(outcome.code, 0);
    EXPECT_EQ(outcome.out, "");
    const core::Json event = core::parse_json(outcome.err, "event");
    EXPECT_EQ(event.at("schema"), 1);
    EXPECT_EQ(event.at("event"), "error");
    EXPECT_NE(event.at("error").at("message").get<std::string>().find("recipe.yaml"), std::string::npos);
  }
  const Outcome plain = run_with({"validate", "/nonexistent/recipe.yaml", "--progress", "plain"});
  EXPECT_TRUE(plain.err.starts_with("error: ")) << plain.err;
  expect_fault({"list", "--progress", "loud"}, "--progress: loud not in {auto,plain,json}", "imgforge help");
}

TEST(CommandLine, ForeignBytesAreEscaped) {
  expect_fault({"\x1b[31mred"}, "there is no command \"\\x1b[31mred\"", "imgforge help");
}

}  // namespace
}  // namespace imgforge::cli
