// imgforge trust init, rotate, sign, publish: who may say which releases there are.
#include <fmt/format.h>

#include <algorithm>

#include "artifacts/catalogue/publisher.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "core/fd.hpp"
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
  std::filesystem::path draft;
  unsigned days = 365;
  PassphraseArguments passphrase;
};

int say_root(Context& context, const catalogue::Root& root) {
  const catalogue::Role& role = root.role("root");
  print(context.options.json
            ? core::print_json({{"schema", 1},
                                {"version", root.document.version},
                                {"threshold", role.threshold},
                                {"keys", role.keys.size()},
                                {"expires", root.document.expires}})
            : fmt::format("root {}: {} of {} keys, until {}\n  next: imgforge catalogue update\n",
                          root.document.version, role.threshold, role.keys.size(), root.document.expires));
  return 0;
}

/// What somebody signs, as far as it is signed.
int say_draft(Context& context, const catalogue::Root& root, const std::filesystem::path& file) {
  const signing::TrustStore trust = load_trust({});
  // A key of a root has no id of minisign's: that of the trusted key with the same bytes, if there is one.
  const auto line = [&](const signing::Ed25519Public& point) {
    const signing::TrustedKey* known = trust.find(signing::PublicKey({}, point));
    return known == nullptr ? core::to_base64(std::span<const std::uint8_t>(point))
                            : known->key.line() + " " + core::escaped(known->name, 100);
  };
  const catalogue::Role& role = root.role("root");
  const catalogue::Role& online = root.role("timestamp");
  const auto has_signed = [&](const std::string& id) {
    return std::any_of(root.document.signatures.begin(), root.document.signatures.end(),
                       [&](const catalogue::RoleSignature& row) { return row.key_id == id; });
  };
  if (context.options.json) {
    core::Json keys = core::Json::array();
    for (const auto& [id, point] : role.keys)
      keys.push_back({{"ed25519", line(point)}, {"signed", has_signed(id)}});
    core::Json online_keys = core::Json::array();
    for (const auto& [id, point] : online.keys) online_keys.push_back({{"ed25519", line(point)}});
    print(core::print_json({{"schema", 1},
                            {"draft", file.native()},
                            {"version", root.document.version},
                            {"threshold", role.threshold},
                            {"expires", root.document.expires},
                            {"keys", keys},
                            {"online_keys", online_keys},
                            {"signatures", root.document.signatures.size()}}));
    return 0;
  }
  std::string text = fmt::format("root {} in {}: {} of {} keys, until {}\n", root.document.version,
                                 file.native(), role.threshold, role.keys.size(), root.document.expires);
  for (const auto& [id, point] : role.keys)
    text += fmt::format("  root key   {}{}\n", line(point), has_signed(id) ? "   signed" : "");
  for (const auto& [id, point] : online.keys) text += fmt::format("  online key {}\n", line(point));
  const std::string name = file.filename().native();
  print(text + fmt::format("next: imgforge trust sign {} --sign-with KEY, where the other keys are; then\n"
                           "      imgforge trust publish {}\n",
                           name, name));
  return 0;
}

int sign_draft(Context& context, const RootArguments& arguments) {
  std::string text = core::read_text_file(arguments.draft, catalogue::kMaxRoot);
  for (const std::string& file : arguments.sign_with)
    text = catalogue::sign_root(text, catalogue::role_signer(load_signing_key(
                                          context, file, arguments.passphrase, context.options.output_dir)));
  core::write_file_atomically(arguments.draft, text);
  return say_draft(context, catalogue::read_draft(text), arguments.draft);
}

int publish_draft(Context& context, const RootArguments& arguments) {
  return say_root(context,
                  catalogue::publish_root(artifacts::Store::create(context.options.output_dir),
                                          core::read_text_file(arguments.draft, catalogue::kMaxRoot)));
}

int make_root(Context& context, const RootArguments& arguments, bool first) {
  const artifacts::Store store =
      first ? artifacts::Store::create(context.options.output_dir) : open_store(context);
  catalogue::RootPlan plan;
  std::vector<catalogue::RoleSigner> signers;
  for (const std::string& file : arguments.sign_with)
    signers.push_back(catalogue::role_signer(
        load_signing_key(context, file, arguments.passphrase, context.options.output_dir)));
  for (const std::string& key : arguments.root_keys)
    plan.keys.push_back(signing::read_public_key(key).point());
  plan.threshold = arguments.threshold;
  if (!arguments.online_key.empty()) plan.online = signing::read_public_key(arguments.online_key).point();
  if (first && plan.keys.empty())
    for (const catalogue::RoleSigner& signer : signers) plan.keys.push_back(signer.key);
  if (first && plan.threshold == 0) plan.threshold = plan.keys.size();
  if (first && !plan.online)
    throw core::Error(core::Kind::kUsage, "name the key that signs catalogues").hint("--online-key FILE.pub");
  plan.expires = core::build_time(context.clock) + std::chrono::hours(24 * arguments.days);
  if (!arguments.draft.empty()) {
    std::string text = catalogue::draft_root(store, plan);
    for (const catalogue::RoleSigner& signer : signers) text = catalogue::sign_root(text, signer);
    core::write_file_atomically(arguments.draft, text);
    return say_draft(context, catalogue::read_draft(text), arguments.draft);
  }
  if (signers.empty())
    throw core::Error(core::Kind::kUsage, "name the keys that sign the root")
        .hint("--sign-with FILE.key, or --draft FILE to sign it elsewhere");
  return say_root(context, first ? catalogue::init_root(store, plan, signers)
                                 : catalogue::rotate_root(store, plan, signers));
}

void declare_root(OptionSet& set, const std::shared_ptr<RootArguments>& arguments, bool first) {
  set.option("--root-key", arguments->root_keys,
             first ? "a .pub file or key line of the root; repeatable [those of --sign-with]"
                   : "a .pub file or key line of the new root; repeatable [those of the root before]");
  set.option("--sign-with", arguments->sign_with, "a secret key that signs the root; repeatable");
  set.option("--draft", arguments->draft,
             "write it to a file instead, to be signed where the keys are: trust sign, trust publish");
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
  const auto draft = std::make_shared<RootArguments>();
  OptionSet& signing = set.command("sign", "add a signature to the draft of a root; needs no store");
  signing.positional("draft", draft->draft, "file of trust init --draft or trust rotate --draft").required();
  signing.option("--sign-with", draft->sign_with, "a secret key that signs it; repeatable").required();
  declare_passphrase(signing, draft->passphrase);
  signing.set_runner([draft](Context& context) { return sign_draft(context, *draft); });
  OptionSet& publishing = set.command("publish", "make a signed draft the root of the store's catalogue");
  publishing.positional("draft", draft->draft, "the file").required();
  publishing.set_runner([draft](Context& context) { return publish_draft(context, *draft); });
  set.set_footer(
      "Example: imgforge trust init --root-key a.pub --root-key b.pub --root-key c.pub --threshold 2\n"
      "           --sign-with a.key --sign-with b.key --online-key release.pub");
  return {};
}

}  // namespace imgforge::cli
