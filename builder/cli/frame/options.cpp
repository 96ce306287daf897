#include "builder/cli/frame/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "builder/cli/frame/help_text.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

Option& Option::required(bool yes) {
  option_->required(yes);
  return *this;
}

Option& Option::show_default() {
  option_->capture_default_str();
  return *this;
}

Option& Option::describe(const std::string& help) {
  option_->description(help);
  return *this;
}

Option& Option::one_of(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option& Option::between(int low, int high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Option& Option::excludes(const Option& other) {
  option_->excludes(other.option_);
  return *this;
}

Option& Option::needs(const Option& other) {
  option_->needs(other.option_);
  return *this;
}

struct OptionSet::Parts {
  CLI::App* app;  ///< owned by the CommandLine
  const OptionSet* parent;
  bool needs_command = false;
  Runner runner;
  std::vector<std::unique_ptr<OptionSet>> commands;
};

OptionSet::OptionSet(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
OptionSet::~OptionSet() = default;

Option OptionSet::flag(const std::string& names, bool& value, const std::string& help) {
  return Option(parts_->app->add_flag(names, value, help));
}

Option OptionSet::flag(const std::string& names, int& count, const std::string& help) {
  return Option(parts_->app->add_flag(names, count, help));
}

Option OptionSet::option(const std::string& names, std::string& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, std::filesystem::path& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, int& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, unsigned& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, std::uint16_t& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, std::size_t& value, const std::string& help) {
  return Option(parts_->app->add_option(names, value, help));
}

Option OptionSet::option(const std::string& names, std::vector<std::string>& values,
                         const std::string& help) {
  return Option(parts_->app->add_option(names, values, help)->allow_extra_args(false));
}

Option OptionSet::positional(const std::string& name, std::string& value, const std::string& help) {
  return Option(parts_->app->add_option(name, value, help));
}

Option OptionSet::positional(const std::string& name, std::filesystem::path& value, const std::string& help) {
  return Option(parts_->app->add_option(name, value, help));
}

Option OptionSet::positional(const std::string& name, std::vector<std::string>& values,
                             const std::string& help) {
  return Option(parts_->app->add_option(name, values, help));
}

Option OptionSet::positional(const std::string& name, std::vector<std::filesystem::path>& values,
                             const std::string& help) {
  return Option(parts_->app->add_option(name, values, help));
}

Option OptionSet::find(const std::string& name) {
  return Option(parts_->app->get_option(name));
}

OptionSet& OptionSet::command(const std::string& name, const std::string& summary) {
  auto parts =
      std::make_unique<Parts>(Parts{parts_->app->add_subcommand(name, summary), this, false, {}, {}});
  parts_->commands.push_back(std::unique_ptr<OptionSet>(new OptionSet(std::move(parts))));
  return *parts_->commands.back();
}

void OptionSet::set_commands(Commands commands) {
  parts_->needs_command = commands == Commands::kRequired;
  parts_->app->require_subcommand(parts_->needs_command ? 1 : 0, 1);
}

const OptionSet* OptionSet::find_command(std::string_view name) const {
  for (const auto& command : parts_->commands) {
    if (command->parts_->app->get_name() == name) return command.get();
  }
  return nullptr;
}

const OptionSet* OptionSet::parent() const {
  return parts_->parent;
}

void OptionSet::set_runner(Runner runner) {
  parts_->runner = std::move(runner);
}

void OptionSet::set_group(const std::string& group) {
  parts_->app->group(group);
}

void OptionSet::set_footer(const std::string& footer) {
  parts_->app->footer(footer);
}

bool OptionSet::has_footer() const {
  return !parts_->app->get_footer().empty();
}

bool OptionSet::given() const {
  return parts_->app->parsed();
}

std::string OptionSet::help() const {
  return parts_->app->help();
}

namespace {

/// Flags of the library's own that the environment must not give.
bool is_request(const std::string& name) {
  return name == "help" || name == "version" || name == "help-all";
}

/// Options of the program and of all commands.
void for_each_option(CLI::App& app, const std::function<void(CLI::Option&)>& visit) {
  for (CLI::Option* option : app.get_options()) visit(*option);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    for_each_option(*command, visit);
}

core::Error wrong(const std::string& message, const std::string& hint) {
  core::Error error(core::Kind::kUsage, message);
  error.hint(hint);
  return error;
}

/// `word` begins with a dash and none of `chain`, from the program to the command, knows it.
core::Error unknown_option(const std::string& word, const std::vector<const CLI::App*>& chain) {
  const std::string given = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (auto app = chain.rbegin(); app != chain.rend(); ++app) {
    for (const CLI::Option* option : (*app)->get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  }
  const std::string near = given.starts_with("--") ? core::nearest_word(given, known) : std::string();
  return wrong("there is no option \"" + core::escaped(given, 60) + "\"",
               near.empty() ? "imgforge help" : "did you mean " + near + "?");
}

/// `word` stands where the last of `chain` needs one of its commands.
core::Error unknown_command(const std::string& word, const std::vector<const CLI::App*>& chain) {
  std::string before;  // the commands that were named well
  for (const CLI::App* app : chain) before += app == chain.front() ? "" : app->get_name() + " ";
  std::vector<std::string> known;
  for (const CLI::App* command : chain.back()->get_subcommands([](const CLI::App*) { return true; }))
    known.push_back(command->get_name());
  const std::string near = core::nearest_word(word, known);
  return wrong("there is no command \"" + before + core::escaped(word, 60) + "\"",
               near.empty() ? "imgforge help" : "did you mean " + before + near + "?");
}

}  // namespace

struct CommandLine::Program {
  Program(const std::string& name, const std::string& description)
      : app(description, name),
        root(std::make_unique<OptionSet::Parts>(OptionSet::Parts{&app, nullptr, false, {}, {}})) {
    app.formatter(std::make_shared<HelpText>());  // commands take it over
  }

  CLI::App app;
  OptionSet root;

  /// From the program to the last command that was named.
  std::vector<const OptionSet*> named() const {
    std::vector<const OptionSet*> chain{&root};
    for (bool deeper = true; deeper;) {
      deeper = false;
      for (const auto& command : chain.back()->parts_->commands) {
        if (!command->given()) continue;
        chain.push_back(command.get());
        deeper = true;
        break;
      }
    }
    return chain;
  }

  /// The fault in the first word that nothing took; nothing when the library says it as well. `plain` are the
  /// words behind "--", which are no options.
  std::optional<core::Error> leftover(bool is_help, const std::vector<std::string>& plain) const {
    const std::vector<std::string> words = app.remaining();
    if (words.empty()) return std::nullopt;
    const std::vector<const OptionSet*> sets = named();
    std::vector<const CLI::App*> chain;
    for (const OptionSet* set : sets) chain.push_back(set->parts_->app);
    const std::string& word = words.front();
    if (word == "--") return std::nullopt;
    const bool is_plain = std::find(plain.begin(), plain.end(), word) != plain.end();
    if (word.size() > 1 && word.front() == '-' && !is_plain)
      return is_help ? std::nullopt : std::optional(unknown_option(word, chain));
    if (sets.back()->parts_->needs_command) return unknown_command(word, chain);
    return std::nullopt;
  }
};

CommandLine::CommandLine(const std::string& program, const std::string& description,
                         const std::string& version)
    : program_(std::make_unique<Program>(program, description)) {
  program_->app.set_version_flag("--version", version);
  program_->app.fallthrough();
}

CommandLine::~CommandLine() = default;

OptionSet& CommandLine::options() {
  return program_->root;
}

void CommandLine::read_environment(const std::string& prefix) {
  for_each_option(program_->app, [&](CLI::Option& option) {
    for (const std::string& name : option.get_lnames()) {
      if (is_request(name)) continue;
      std::string variable = prefix + name;
      std::transform(variable.begin(), variable.end(), variable.begin(),
                     [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::toupper(c)); });
      option.envname(variable);
    }
  });
}

void CommandLine::set_default(const std::string& name, const std::string& value) {
  std::vector<std::string> known;
  bool found = false;
  for_each_option(program_->app, [&](CLI::Option& option) {
    for (const std::string& long_name : option.get_lnames()) {
      if (is_request(long_name)) continue;
      known.push_back(long_name);
      if (long_name != name) continue;
      found = true;
      try {
        option.run_callback_for_default()->default_val(value);
      } catch (const CLI::ParseError& error) {
        throw wrong(error.what(), "imgforge help");
      }
    }
  });
  if (found) return;
  const std::string near = core::nearest_word(name, known);
  throw wrong("there is no option \"--" + core::escaped(name, 60) + "\"",
              near.empty() ? "imgforge help" : "did you mean " + near + "?");
}

std::optional<std::string> CommandLine::parse(int argc, const char* const* argv) {
  CLI::App& app = program_->app;
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what()) + "\n";
  } catch (const CLI::ParseError& error) {
    const bool is_help = error.get_exit_code() == 0;
    const bool is_gap = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    const bool is_extra = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    if (is_help || is_gap || is_extra) {
      const std::vector<std::string> plain(std::find(argv, argv + argc, std::string_view("--")), argv + argc);
      if (auto fault = program_->leftover(is_help, plain)) throw *std::move(fault);
    }
    if (!is_help) throw wrong(error.what(), "imgforge help");
    const auto commands = app.get_subcommands();
    return (commands.empty() ? app : *commands.front()).help();
  }
}

const Runner& CommandLine::runner() const {
  const auto chain = program_->named();
  const auto found = std::find_if(chain.rbegin(), chain.rend(),
                                  [](const OptionSet* set) { return set->parts_->runner != nullptr; });
  if (found == chain.rend()) throw wrong("no command was given", "imgforge help");
  return (*found)->parts_->runner;
}

}  // namespace imgforge::cli
