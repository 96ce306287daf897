#include "builder/pull/pull.hpp"

#include <fmt/format.h>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/catalogue_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

Runner declare_pull(OptionSet& set) {
  auto url = std::make_shared<std::string>();
  auto reference = std::make_shared<std::string>();
  auto root = std::make_shared<std::filesystem::path>();
  auto network = std::make_shared<BuildArguments>();
  set.positional("url", *url, "URL of an exported tree that has a catalogue").required();
  set.positional("release", *reference, "LINE (its current release there) or LINE@VERSION [the only line]");
  declare_first_root(set, *root);
  declare_network(set, *network);
  auto public_keys = declare_public_keys(set);
  set.set_footer(
      "The catalogue is followed first, by what was seen of it before; a release has its name in the output "
      "folder\n"
      "only when its signature and every file were verified. It does not become current: imgforge promote "
      "does that.\n"
      "Example: imgforge pull https://images.example hello-boot --root root.json");
  return [=](Context& context) {
    std::string base = *url;
    while (base.ends_with('/')) base.pop_back();
    if (base.find("://") == std::string::npos)
      throw core::Error(core::Kind::kUsage, core::escaped(*url, 100) + " is no URL").hint("https://...");
    const catalogue::Catalogue catalogue = follow_catalogue(context, base, *root);
    const catalogue::Target& target = pull::choose_target(catalogue, *reference);
    const artifacts::Store store = artifacts::Store::create(context.options.output_dir);
    BuildTools tools(context, *network);
    const auto trust = std::make_shared<const signing::TrustStore>(load_trust(*public_keys));
    const pull::PullResult result =
        pull::pull(store, base, target, possible_companions(*trust), tools.toolbox().fetch_context(),
                   {.cancel = context.cancel, .signature = counting(trust)});
    for (const std::string& warning : result.warnings) context.progress.warn(warning);
    if (context.options.json) {
      print(core::print_json({{"schema", 1},
                              {"line", result.line},
                              {"version", result.version},
                              {"directory", result.directory.native()},
                              {"signer", result.signer},
                              {"catalogue", catalogue.version},
                              {"existed", result.existed}}));
      return 0;
    }
    print(fmt::format("{}@{}: {}, signed by {}, in catalogue {} valid until {}\n{}\n", result.line,
                      result.version, result.existed ? "is there already" : "verified", result.signer,
                      catalogue.version, catalogue.valid_until, result.directory.native()));
    return 0;
  };
}

}  // namespace imgforge::cli
