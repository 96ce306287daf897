// What commands may declare, through the interface that hides the parser.
#include "builder/cli/frame/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "builder/cli/frame/command.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Tool {
  CommandLine line{"tool", "Does things.", "tool 1.0"};
  OptionSet& set = line.options();

  std::optional<std::string> parse(std::vector<const char*> words) {
    words.insert(words.begin(), "tool");
    return line.parse(static_cast<int>(words.size()), words.data());
  }
  std::string fault(const std::vector<const char*>& words) {
    try {
      parse(words);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kUsage);
      return error.message();
    }
    return "no fault";
  }
};

TEST(Options, FillTheirVariables) {
  Tool tool;
  bool yes = false;
  int verbose = 0;
  std::string text = "before";
  std::filesystem::path path;
  unsigned jobs = 1;
  std::uint16_t port = 0;
  std::size_t last = 0;
  int level = 3;
  std::vector<std::string> sets;
  std::string name;
  std::vector<std::filesystem::path> rest;
  tool.set.flag("-y,--yes", yes, "");
  tool.set.flag("-v,--verbose", verbose, "");
  tool.set.option("--text", text, "");
  tool.set.option("--path", path, "");
  tool.set.option("-j,--jobs", jobs, "").between(1, 8);
  tool.set.option("--port", port, "");
  tool.set.option("--last", last, "");
  tool.set.option("--level", level, "");
  tool.set.option("--set", sets, "");
  tool.set.positional("name", name, "").required();
  tool.set.positional("rest", rest, "");
  EXPECT_FALSE(tool.parse({"one", "-yvv", "--path", "a/b", "-j2", "--port=80", "--last", "7", "--set", "a=1",
                           "two", "--set", "b=2", "three"}));
  EXPECT_TRUE(yes);
  EXPECT_EQ(verbose, 2);
  EXPECT_EQ(text, "before");
  EXPECT_EQ(path, "a/b");
  EXPECT_EQ(jobs, 2U);
  EXPECT_EQ(port, 80);
  EXPECT_EQ(last, 7U);
  EXPECT_EQ(level, 3);
  EXPECT_THAT(sets, ElementsAre("a=1", "b=2"));
  EXPECT_EQ(name, "one");
  EXPECT_THAT(rest, ElementsAre("two", "three"));
}

TEST(Options, RulesAreFaultsOfTheCommandLine) {
  Tool tool;
  std::string colour, first, second;
  unsigned jobs = 1;
  bool all = false;
  bool thorough = false;
  tool.set.option("--color", colour, "").one_of({"auto", "never"});
  tool.set.option("--jobs", jobs, "").between(1, 8);
  const Option one = tool.set.option("--first", first, "");
  tool.set.option("--second", second, "").excludes(one);
  const Option whole = tool.set.flag("--all", all, "");
  tool.set.flag("--thorough", thorough, "").needs(whole);
  EXPECT_EQ(tool.fault({"--color", "blue"}), "--color: blue not in {auto,never}");
  EXPECT_EQ(tool.fault({"--jobs", "9"}), "--jobs: Value 9 not in range 1 to 8");
  EXPECT_EQ(tool.fault({"--first", "a", "--second", "b"}), "--first excludes --second");
  EXPECT_EQ(tool.fault({"--thorough"}), "--thorough requires --all");
  EXPECT_EQ(tool.fault({"word"}), "The following argument was not expected: word");
  EXPECT_EQ(tool.fault({"--", "--word"}), "The following arguments were not expected: --word --");
}

TEST(Options, EnvironmentGivesWhatTheCommandLineDoesNot) {
  Tool tool;
  std::string folder = "out";
  tool.set.option("--output-dir", folder, "");
  tool.line.read_environment("TOOL_TEST_");
  ::setenv("TOOL_TEST_OUTPUT_DIR", "env", 1);
  tool.parse({});
  EXPECT_EQ(folder, "env");
  tool.parse({"--output-dir", "flag"});
  EXPECT_EQ(folder, "flag");
  ::unsetenv("TOOL_TEST_OUTPUT_DIR");
}

TEST(Options, HelpAndVersionAreTextToPrint) {
  Tool tool;
  unsigned jobs = 8;
  tool.set.option("--jobs", jobs, "how many").between(1, 64).show_default();
  OptionSet& below = tool.set.command("below", "a command");
  below.set_group("Group");
  EXPECT_FALSE(below.has_footer());
  below.set_footer("Example: tool below");
  EXPECT_TRUE(below.has_footer());
  EXPECT_EQ(tool.parse({"--version"}), "tool 1.0\n");
  const std::string help = tool.parse({"--help"}).value();
  EXPECT_THAT(help, HasSubstr("--jobs UINT:INT in [1 - 64]=8"));
  EXPECT_THAT(help, HasSubstr("Group:\n  below"));
  EXPECT_EQ(tool.parse({"below", "--help"}), below.help());
  EXPECT_THAT(below.help(), HasSubstr("Example: tool below"));
}

TEST(Options, CommandsRunWhatWasNamedLast) {
  Tool tool;
  int ran = 0;
  tool.set.set_commands(OptionSet::Commands::kRequired);
  OptionSet& key = tool.set.command("key", "");
  key.set_commands(OptionSet::Commands::kOptional);
  key.set_runner([&](Context&) { return ran = 1; });
  OptionSet& show = key.command("show", "");
  show.set_runner([&](Context&) { return ran = 2; });
  OptionSet& plain = key.command("plain", "");
  EXPECT_EQ(tool.set.find_command("key"), &key);
  EXPECT_EQ(tool.set.find_command("show"), nullptr);
  EXPECT_EQ(show.parent(), &key);
  EXPECT_EQ(tool.set.parent(), nullptr);
  GlobalOptions globals;
  Context context{globals,
                  core::CancelToken(),
                  core::system_clock(),
                  core::system_processes(),
                  core::no_progress(),
                  Style(Colour::kOff)};
  const auto chosen = [&](const std::vector<const char*>& words) {
    tool.parse(words);
    return tool.line.runner()(context);
  };
  EXPECT_EQ(chosen({"key"}), 1);
  EXPECT_FALSE(show.given());
  EXPECT_EQ(chosen({"key", "show"}), 2);
  EXPECT_TRUE(show.given());
  EXPECT_EQ(chosen({"key", "plain"}), 1);
  EXPECT_TRUE(plain.given());
  EXPECT_EQ(tool.fault({}), "A subcommand is required");
}

TEST(HelpText, DescriptionsAreBrokenWhereTheTerminalEnds) {
  Tool tool;
  bool wordy = false;
  tool.set.flag("--wordy", wordy,
                "one two three four five six seven eight nine ten eleven twelve thirteen fourteen");
  tool.set.command("below",
                   "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi");
  const std::string help = tool.set.help();
  for (const std::string& line : core::split(help, '\n')) EXPECT_LE(line.size(), 100U) << line;
  EXPECT_THAT(help, ContainsRegex("--wordy +one two [^\n]*\n {30}[a-z]"));
  EXPECT_THAT(help, ContainsRegex("  below +alpha beta [^\n]*\n {30}[a-z]"));
}

}  // namespace
}  // namespace imgforge::cli
