#include <fmt/format.h>

#include <map>

#include "builder/cli/frame/command.hpp"
#include "builder/recipe/schema/schema.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

std::string exit_codes() {
  return "  0    done\n"
         "  1    failed: the step and the reason are on standard error; of diff --bytes: different\n"
         "  2    wrong command line or recipe\n"
         "  3    verification failed: signature, digest, structure, or input that policy refuses\n"
         "  4    the machine lacks something (imgforge doctor says what)\n"
         "  5    a source could not be fetched\n"
         "  130  interrupted\n";
}

std::string environment() {
  return "  IMGFORGE_<FLAG>        any long flag, as in IMGFORGE_CACHE_DIR; the flag wins, and both win "
         "over\n"
         "                         the configuration file, imgforge/config.yaml below XDG_CONFIG_HOME\n"
         "  IMGFORGE_ACCELERATOR   kvm or tcg: use it without probing\n"
         "  SOURCE_DATE_EPOCH      the build's time in seconds since 1970: version, clamped file times\n"
         "  XDG_CACHE_HOME         downloads and step results, below imgforge/ (default ~/.cache)\n"
         "  XDG_CONFIG_HOME        configuration, signing keys and trusted keys, below imgforge/ (default "
         "~/.config)\n"
         "  TMPDIR                 scratch disks of builds (default: the cache directory)\n"
         "  NO_COLOR, CI           plain output\n"
         "  IMGFORGE_TOKEN_FILE    file of lines HOST TOKEN: bearer tokens, each for its host alone (mode "
         "600)\n"
         "  NETRC                  logins for hosts (default ~/.netrc)\n"
         "  HF_ENDPOINT            another hub of Hugging Face for models from hf://\n"
         "  http_proxy and friends as curl reads them\n";
}

std::string overview() {
  std::string out = "imgforge " IMGFORGE_VERSION ": builds, signs, verifies and boots Alpine Linux images\n";
  std::string group;
  for (const Command& command : commands()) {
    if (command.group != group) out += fmt::format("\n{}\n", group = command.group);
    out += fmt::format("  {:<10} {}\n", command.name, command.summary);
  }
  out +=
      "\nimgforge COMMAND --help explains a command. Topics of imgforge help: exit-codes, environment,\n"
      "recipe-reference, recipe-schema.\n";
  return out;
}

const std::map<std::string, std::string (*)()>& topics() {
  static const std::map<std::string, std::string (*)()> table{
      {"exit-codes", &exit_codes},
      {"environment", &environment},
      {"recipe-reference", &recipe::reference_markdown},
      {"recipe-schema", &recipe::json_schema},
  };
  return table;
}

core::Error no_help(const std::string& topic) {
  std::vector<std::string> known;
  for (const Command& command : commands()) known.emplace_back(command.name);
  for (const auto& [name, text] : topics()) known.push_back(name);
  const std::string near = core::nearest_word(topic, known);
  core::Error error(core::Kind::kUsage, "there is no help on \"" + core::escaped(topic, 60) + "\"");
  error.hint(near.empty() ? "imgforge help" : "did you mean " + near + "?");
  return error;
}

std::string as_json(const std::string& topic, const std::string& text) {
  core::Json rows = core::Json::array();
  for (const Command& command : commands())
    rows.push_back({{"name", command.name}, {"group", command.group}, {"summary", command.summary}});
  return core::print_json({{"schema", 1}, {"topic", topic}, {"text", text}, {"commands", rows}});
}

}  // namespace

Runner declare_help(OptionSet& set) {
  auto topic = std::make_shared<std::string>();
  set.positional("topic", *topic, "a command, or exit-codes, environment, recipe-reference, recipe-schema");
  const OptionSet* program = set.parent();
  return [topic, program](Context& context) {
    std::string text;
    if (topic->empty()) {
      text = overview();
    } else if (const auto found = topics().find(*topic); found != topics().end()) {
      text = found->second();
    } else if (const OptionSet* command = program->find_command(*topic)) {
      text = command->help();
    } else {
      throw no_help(*topic);
    }
    print(context.options.json ? as_json(*topic, text) : text);
    return 0;
  };
}

}  // namespace imgforge::cli
