// The command line as commands declare it: flags, options, commands of commands. The library that parses it
// is header-only and large, so it stands behind these classes and is compiled once, in options.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // only named here
class Option;
}

namespace imgforge::cli {

struct Context;

/// What runs when a command was chosen. Returns the exit code; faults leave as core::Error.
using Runner = std::function<int(Context&)>;

/// One declared flag, option or positional, to say more about it. As long-lived as its OptionSet.
class Option {
 public:
  Option& required(bool yes = true);
  /// Help prints the value that the variable has now.
  Option& show_default();
  Option& describe(const std::string& help);
  /// The value must be one of these words.
  Option& one_of(const std::vector<std::string>& words);
  /// The value must be a number from `low` to `high`.
  Option& between(int low, int high);
  /// Giving both is an error.
  Option& excludes(const Option& other);
  /// Giving this one without the other is an error.
  Option& needs(const Option& other);

 private:
  friend class OptionSet;
  explicit Option(CLI::Option* option) : option_(option) {}
  CLI::Option* option_;
};

/// The options of the program or of one command. Variables are written while the command line is parsed and
/// must live until then. Names are as in "-n,--dry-run".
class OptionSet {
 public:
  OptionSet(const OptionSet&) = delete;
  OptionSet& operator=(const OptionSet&) = delete;
  ~OptionSet();

  Option flag(const std::string& names, bool& value, const std::string& help);
  /// Counts how often it is given.
  Option flag(const std::string& names, int& count, const std::string& help);

  Option option(const std::string& names, std::string& value, const std::string& help);
  Option option(const std::string& names, std::filesystem::path& value, const std::string& help);
  Option option(const std::string& names, int& value, const std::string& help);
  Option option(const std::string& names, unsigned& value, const std::string& help);
  Option option(const std::string& names, std::uint16_t& value, const std::string& help);
  Option option(const std::string& names, std::size_t& value, const std::string& help);
  /// May be given again for one value more.
  Option option(const std::string& names, std::vector<std::string>& values, const std::string& help);

  Option positional(const std::string& name, std::string& value, const std::string& help);
  Option positional(const std::string& name, std::filesystem::path& value, const std::string& help);
  /// Takes all the words that no earlier positional took.
  Option positional(const std::string& name, std::vector<std::string>& values, const std::string& help);
  Option positional(const std::string& name, std::vector<std::filesystem::path>& values,
                    const std::string& help);

  /// An option declared before, by one of its names without dashes or the name of the positional.
  Option find(const std::string& name);

  /// Declares a command below this one; the reference stays good as long as the CommandLine.
  OptionSet& command(const std::string& name, const std::string& summary);
  /// Whether one of the commands must be named, or may be.
  enum class Commands { kRequired, kOptional };
  void set_commands(Commands commands);
  /// The command of that name below this one, or null.
  const OptionSet* find_command(std::string_view name) const;
  /// The set that this one was declared in, or null.
  const OptionSet* parent() const;

  /// What runs when this command is the last one named.
  void set_runner(Runner runner);
  /// Heading of this command in the help of its parent.
  void set_group(const std::string& group);
  /// Text below the options in the help.
  void set_footer(const std::string& footer);
  bool has_footer() const;
  /// Whether the command line named this command.
  bool given() const;
  std::string help() const;

 private:
  friend class CommandLine;
  struct Parts;
  explicit OptionSet(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// A whole program's command line.
class CommandLine {
 public:
  /// `version` is what --version prints. Options of the program may stand behind the command too.
  CommandLine(const std::string& program, const std::string& description, const std::string& version);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  OptionSet& options();
  /// Lets the environment give every long option that is declared by now: `prefix` and its name in capitals.
  /// The command line wins.
  void read_environment(const std::string& prefix);
  /// Gives every option of that long name, without dashes, another value for when neither the command line
  /// nor the environment does. Throws kUsage when there is none, with the nearest one, and for a value that
  /// the option does not take.
  void set_default(const std::string& name, const std::string& value);
  /// Fills the variables. Returns text when only that is to be printed: help or the version. Throws kUsage;
  /// a word or option that does not exist is named with the nearest one.
  std::optional<std::string> parse(int argc, const char* const* argv);
  /// The runner of the last named command that has one. Throws kUsage when there is none.
  const Runner& runner() const;

 private:
  struct Program;
  std::unique_ptr<Program> program_;
};

}  // namespace imgforge::cli
