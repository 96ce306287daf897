// imgforge catalogue, yank, unyank: what releases there are, and which of them are good no more.
#include <fmt/format.h>

#include "artifacts/catalogue/publisher.hpp"
#include "artifacts/store/release_reference.hpp"
#include "artifacts/store/yanks.hpp"
#include "builder/cli/arguments/catalogue_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct UpdateArguments {
  fs::path key;
  PassphraseArguments passphrase;
  unsigned days = 14;
  std::string expected;
  std::shared_ptr<std::vector<std::string>> public_keys;
};

int update_catalogue(Context& context, const UpdateArguments& arguments) {
  const artifacts::Store store = open_store(context);
  catalogue::UpdateRequest request;
  const auto key = load_signing_key(context, arguments.key, arguments.passphrase, context.options.output_dir);
  request.online = catalogue::role_signer(key);
  request.signature = trusting(*arguments.public_keys, key->public_key().file_text());
  request.now = core::build_time(context.clock);
  request.days = arguments.days;
  request.cancel = context.cancel;
  if (!arguments.expected.empty()) {
    const bool digits = arguments.expected.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || arguments.expected.size() > 15)
      throw core::Error(core::Kind::kUsage, "--expect takes the number of a catalogue");
    request.expected = std::stoull(arguments.expected);
  }
  const catalogue::UpdateResult result = catalogue::update(store, request);
  for (const std::string& row : result.left_out) context.progress.warn("left out " + core::escaped(row));
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"version", result.version},
                            {"releases", result.releases},
                            {"yanked", result.yanked},
                            {"left_out", result.left_out},
                            {"expires", result.expires}}));
    return 0;
  }
  print(fmt::format("catalogue {}: {} releases, {} of them withdrawn, valid until {}\n", result.version,
                    result.releases, result.yanked, result.expires));
  return 0;
}

int show_catalogue(Context& context, const std::string& place, const fs::path& root) {
  const catalogue::Catalogue catalogue =
      follow_catalogue(context, place.empty() ? context.options.output_dir.native() : place, root);
  core::Json rows = core::Json::array();
  std::vector<std::vector<std::string>> table{{"RELEASE", "STATE", "WITHDRAWN"}};
  for (const auto& [path, target] : catalogue.targets) {
    rows.push_back({{"line", target.line},
                    {"version", target.version},
                    {"state", target.state},
                    {"yanked", target.yanked},
                    {"sha256", target.sha256.hex()}});
    table.push_back(
        {target.line + "@" + target.version, target.state, target.yanked.empty() ? "-" : target.yanked});
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"version", catalogue.version},
                            {"valid_until", catalogue.valid_until},
                            {"releases", rows}}));
    return 0;
  }
  print(fmt::format("catalogue {}, valid until {}\n{}", catalogue.version, catalogue.valid_until,
                    text_table(table, context.out)));
  return 0;
}

artifacts::Version version_of(const artifacts::ReleaseLocation& location) {
  const auto version = artifacts::Version::parse(location.version);
  if (!version) throw core::Error(core::Kind::kUsage, location.reference() + " is not a version");
  return *version;
}

int set_yanked(Context& context, const std::string& reference, const std::string& reason, bool yanked) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release(store, reference);
  std::vector<std::string> warnings;
  bool changed = true;
  if (yanked)
    warnings =
        artifacts::yank(store, location.line, version_of(location), reason, {.cancel = context.cancel});
  else
    changed =
        artifacts::unyank(store, location.line, version_of(location), warnings, {.cancel = context.cancel});
  for (const std::string& warning : warnings) context.progress.warn(warning);
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"line", location.line},
                            {"version", location.version},
                            {"yanked", yanked},
                            {"changed", changed}}));
    return 0;
  }
  print(fmt::format("{}: {}; imgforge catalogue update tells others\n", location.reference(),
                    yanked    ? "withdrawn"
                    : changed ? "good again"
                              : "was not withdrawn"));
  return 0;
}

constexpr const char* kReleaseHelp =
    "a release: LINE (its current one), LINE@VERSION, LINE-VERSION or a path";

}  // namespace

Runner declare_catalogue(OptionSet& set) {
  set.set_commands(OptionSet::Commands::kRequired);
  OptionSet& updating = set.command("update", "sign the list of the store's releases anew");
  auto update = std::make_shared<UpdateArguments>();
  updating.option("--signing-key", update->key, "the online key that the root names [your only key]");
  updating.option("--days", update->days, "how long others believe it").show_default();
  updating.option("--expect", update->expected, "refuse unless the catalogue there has this number");
  declare_passphrase(updating, update->passphrase);
  update->public_keys = declare_public_keys(updating);
  updating.set_runner([update](Context& context) { return update_catalogue(context, *update); });
  OptionSet& showing = set.command("show", "follow a catalogue and print what it has");
  auto place = std::make_shared<std::string>();
  auto root = std::make_shared<fs::path>();
  showing.positional("place", *place,
                     "URL of an exported tree, or a store, tree or folder [the output folder]");
  declare_first_root(showing, *root);
  showing.set_runner([=](Context& context) { return show_catalogue(context, *place, *root); });
  set.set_footer("Example: imgforge catalogue show https://images.example --root root.json");
  return {};
}

Runner declare_yank(OptionSet& set) {
  auto reference = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  set.positional("release", *reference, kReleaseHelp).required();
  set.option("--reason", *reason, "one line that everybody will read").required();
  set.set_footer(
      "promote, rollback and clone refuse a withdrawn release, and so does everybody who follows the "
      "catalogue.\n"
      "Example: imgforge yank hello-boot@v20261120 --reason \"boots without its network\"");
  return [=](Context& context) { return set_yanked(context, *reference, *reason, true); };
}

Runner declare_unyank(OptionSet& set) {
  auto reference = std::make_shared<std::string>();
  set.positional("release", *reference, kReleaseHelp).required();
  set.set_footer("Example: imgforge unyank hello-boot@v20261120");
  return [=](Context& context) { return set_yanked(context, *reference, "", false); };
}

}  // namespace imgforge::cli
