#include <fmt/format.h>

#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/vm/make/bases.hpp"
#include "builder/cli/vm/vm.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kLargest = 1 << 20;

struct Arguments {
  std::string name;
  std::string release;
  bool remove = false;
};

fs::path bases_file() {
  return state_dir() / "bases.json";
}

Bases read_bases() {
  const fs::path file = bases_file();
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  try {
    const Json json = core::parse_json(core::read_text_file(file, kLargest), file.native());
    if (json.at("schema") != 1) throw Error(Kind::kIntegrity, "schema is not 1");
    return json.at("bases").get<Bases>();
  } catch (const Json::exception& fault) {
    throw Error(Kind::kIntegrity, file.native() + " is damaged: " + core::escaped(fault.what(), 160));
  }
}

void write_bases(const Bases& bases) {
  fs::create_directories(bases_file().parent_path());
  core::write_file_atomically(bases_file(), core::print_json({{"schema", 1}, {"bases", bases}}), 0600);
}

void show(const Context& context, const Bases& bases) {
  std::vector<std::vector<std::string>> rows{{"BASE", "RELEASE"}};
  for (const auto& [name, release] : bases) rows.push_back({name, release});
  print(context.options.json ? core::print_json({{"schema", 1}, {"bases", bases}})
        : bases.empty()      ? "there are no bases: imgforge vm base NAME RELEASE\n"
                             : text_table(rows, context.out, {}));
}

int base(Context& context, const Arguments& arguments) {
  Bases bases = read_bases();
  if (arguments.name.empty()) {
    show(context, bases);
    return 0;
  }
  if (arguments.remove) {
    if (bases.erase(arguments.name) == 0)
      throw Error(Kind::kUsage, "there is no base " + core::escaped(arguments.name, 100));
    write_bases(bases);
    print(context.options.json ? core::print_json({{"schema", 1}, {"bases", bases}})
                               : arguments.name + " is no base any more\n");
    return 0;
  }
  if (arguments.release.empty())
    throw Error(Kind::kUsage, "the release is missing that " + core::escaped(arguments.name, 100) +
                                  " is to stand for, or --remove");
  machines::check_machine_name(arguments.name);
  const artifacts::ReleaseLocation found =
      artifacts::find_release_in_place(open_store(context), arguments.release);
  const std::string before = bases.contains(arguments.name) ? bases.at(arguments.name) : "";
  bases[arguments.name] = found.reference();
  write_bases(bases);
  const std::string was = before.empty() || before == found.reference() ? "" : ", no longer " + before;
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"bases", bases}})
            : fmt::format("new machines of {} stand on {}{}\n", arguments.name, found.reference(), was));
  return 0;
}

}  // namespace

std::string release_of_base(const std::string& text) {
  const Bases bases = read_bases();
  const auto found = bases.find(text);
  return found != bases.end() ? found->second : text;
}

void declare_vm_base(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set =
      vm.command("base", "let a name stand for a release that machines are made of; list such names");
  set.positional("name", arguments->name, "of the base");
  set.positional("release", arguments->release, "LINE (its current one, as it is now) or LINE@VERSION");
  set.flag("--remove", arguments->remove, "forget the name; machines and releases stay");
  set.set_footer(
      "Machines that are there stay on what they were made of; vm run NAME takes the new release.\n"
      "Example: imgforge vm base work kodeimage@v20261120 && imgforge vm run work --name project");
  set.set_runner([arguments](Context& context) { return base(context, *arguments); });
}

}  // namespace imgforge::cli
