// imgforge trust init, imgforge trust rotate: who may say which releases there are.
#include <fmt/format.h>

#include "artifacts/catalogue/publisher.hpp"
#include "builder/cli/store_arguments.hpp"
#include "builder/cli/trust/keys.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"

namespace imgforge::cli {
namespace {

struct RootArguments {
  std::vector<std::string> root_keys;
  std::vector<std::string> sign_with;
  std::size_t threshold = 0;
  std::string online_key;
  unsigned days = 365;
  PassphraseArguments passphrase;
};

signing::PublicKey public_key(const std::string& line_or_path) {
  return std::filesystem::exists(line_or_path) ? signing::load_public_key(line_or_path)
                                               : signing::PublicKey::parse(line_or_path);
}

int make_root(Context& context, const RootArguments& arguments, bool first) {
  const artifacts::Store store =
      first ? artifacts::Store::create(context.options.output_dir) : open_store(context);
  catalogue::RootPlan plan;
  std::vector<catalogue::RoleSigner> signers;
  for (const std::string& file : arguments.sign_with)
    signers.push_back(catalogue::role_signer(
        load_signing_key(context, file, arguments.passphrase, context.options.output_dir)));
  for (const std::string& key : arguments.root_keys) plan.keys.push_back(public_key(key).point());
  plan.threshold = arguments.threshold;
  if (!arguments.online_key.empty()) plan.online = public_key(arguments.online_key).point();
  if (first && plan.keys.empty())
    for (const catalogue::RoleSigner& signer : signers) plan.keys.push_back(signer.key);
  if (first && plan.threshold == 0) plan.threshold = plan.keys.size();
  if (first && !plan.online)
    throw core::Error(core::Kind::kUsage, "name the key that signs catalogues").hint("--online-key FILE.pub");
  plan.expires = core::build_time(context.clock) + std::chrono::hours(24 * arguments.days);
  const catalogue::Root root =
      first ? catalogue::init_root(store, plan, signers) : catalogue::rotate_root(store, plan, signers);
  const catalogue::Role& role = root.role("root");
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"version", root.document.version},
                            {"threshold", role.threshold},
                            {"keys", role.keys.size()},
                            {"expires", root.document.expires}}));
    return 0;
  }
  print(fmt::format("root {}: {} of {} keys, until {}\n  next: imgforge catalogue update\n",
                    root.document.version, role.threshold, role.keys.size(), root.document.expires));
  return 0;
}

void declare_root(OptionSet& set, const std::shared_ptr<RootArguments>& arguments, bool first) {
  set.option("--root-key", arguments->root_keys,
             first ? "a .pub file or key line of the root; repeatable [those of --sign-with]"
                   : "a .pub file or key line of the new root; repeatable [those of the root before]");
  set.option("--sign-with", arguments->sign_with, "a secret key that signs the root; repeatable").required();
  set.option("--threshold", arguments->threshold,
             first ? "how many of them have to sign [all]" : "how many of them have to sign [as before]");
  set.option("--online-key", arguments->online_key,
             first ? "a .pub file or key line that signs catalogues"
                   : "a .pub file or key line that signs catalogues [as before]");
  set.option("--days", arguments->days, "how long the root is valid").show_default();
  declare_passphrase(set, arguments->passphrase);
  set.set_runner([=](Context& context) { return make_root(context, *arguments, first); });
}

}  // namespace

Runner declare_trust(OptionSet& set) {
  set.set_commands(OptionSet::Commands::kRequired);
  declare_root(set.command("init", "make the first root of the store's catalogue"),
               std::make_shared<RootArguments>(), true);
  declare_root(set.command("rotate", "make the next root, signed by keys of both"),
               std::make_shared<RootArguments>(), false);
  set.set_footer(
      "Example: imgforge trust init --root-key a.pub --root-key b.pub --root-key c.pub --threshold 2\n"
      "           --sign-with a.key --sign-with b.key --online-key release.pub");
  return {};
}

}  // namespace imgforge::cli
