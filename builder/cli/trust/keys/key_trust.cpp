// imgforge key trust, introduce, rotate, threshold, revoke: whose signatures count, when, and for what.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/openpgp_keys.hpp"
#include "builder/cli/trust/keys/key_commands.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/iso_time.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/trust/introduction.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

struct Arguments {
  std::string name;
  std::vector<std::string> subjects;
  std::string key;
  std::vector<std::string> roles;
  std::string from;
  std::string until;
  std::string reason;
  std::string since;
  std::string threshold;
  fs::path signing_key;
  fs::path output;
  bool no_passphrase = false;
  bool openpgp = false;
  PassphraseArguments passphrase;
};

std::optional<core::UnixTime> time_argument(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto time = core::parse_iso_time(text);
  if (time) return time;
  throw Error(Kind::kUsage, "\"" + core::escaped(text) + "\" is not a time")
      .hint("write it in UTC, such as 2026-11-20T01:02:03Z");
}

/// What the options say of a key.
signing::KeyRule rule_argument(const signing::PublicKey& key, const Arguments& arguments) {
  signing::KeyRule rule{key, time_argument(arguments.from), time_argument(arguments.until), {}, {}, {}};
  if (rule.valid_from && rule.valid_until && *rule.valid_until <= *rule.valid_from)
    throw Error(Kind::kUsage, "--valid-until is not after --valid-from");
  for (const std::string& name : arguments.roles) {
    const signing::Role role = signing::parse_role(name);
    if (!rule.serves(role) || rule.roles.empty()) rule.roles.push_back(role);
  }
  return rule;
}

void declare_rule(OptionSet& set, Arguments& arguments) {
  set.option("--role", arguments.roles,
             "what it may vouch for: release, catalogue, models or update; repeatable [everything]");
  set.option("--valid-from", arguments.from, "the first second in which it counts, as 2026-11-20T00:00:00Z");
  set.option("--valid-until", arguments.until, "the first in which it counts no more");
}

/// A trusted key by its name, or what a file or line holds.
signing::PublicKey find_key(const signing::TrustStore& trust, const std::string& word) {
  for (const signing::TrustedKey& key : trust.keys()) {
    if (key.name == word) return key.key;
  }
  return signing::read_public_key(word);
}

int trust_one(Context& context, const std::string& subject, const Arguments& arguments) {
  const bool is_file = fs::exists(subject);
  const signing::PublicKey key = signing::read_public_key(subject);
  const std::string name = !arguments.name.empty() ? arguments.name
                           : is_file               ? fs::path(subject).stem().string()
                                                   : key.id();
  const signing::KeyRule rule = rule_argument(key, arguments);
  if (!signing::is_key_name(name)) signing::trust_key(trusted_folder(), name, key);  // which says why
  if (rule.valid_from || rule.valid_until || !rule.roles.empty()) {
    signing::change_key_rules(trusted_folder(), [&](signing::KeyRules& rules) {
      signing::KeyRule& there = rules.rule_of(key);
      there.valid_from = rule.valid_from;
      there.valid_until = rule.valid_until;
      there.roles = rule.roles;
    });
  }
  signing::trust_key(trusted_folder(), name, key);
  print(context.options.json ? core::print_json({{"schema", 1}, {"name", name}, {"public_key", key.line()}})
                             : fmt::format("trusting {} ({})\n", name, key.abbreviated()));
  return 0;
}

/// Statements by which trusted keys introduce others.
int trust_statements(Context& context, const std::vector<std::string>& texts) {
  signing::TrustStore trust = load_trust({});
  const std::vector<signing::Introduced> believed = signing::follow_introductions(trust, texts);
  core::Json rows = core::Json::array();
  std::string text;
  for (const signing::Introduced& introduced : believed) {
    signing::record_introduction(trusted_folder(), introduced);
    const signing::Introduction& said = introduced.introduction;
    std::vector<std::string> names;
    core::Json by = core::Json::array();
    for (const signing::PublicKey& key : introduced.by) {
      names.push_back(trust.describe(key));
      by.push_back(key.line());
    }
    rows.push_back({{"name", said.name}, {"public_key", said.rule.key.line()}, {"introduced_by", by}});
    text += fmt::format(
        "trusting {} ({}), introduced by {}{}\n", said.name, said.rule.key.abbreviated(),
        core::join(names, ", "),
        said.signers_until ? ", in whose place it comes on " + core::iso_time(*said.signers_until) : "");
  }
  if (text.empty()) text = "nothing new: these keys are trusted already\n";
  print(context.options.json ? core::print_json({{"schema", 1}, {"introduced", rows}}) : text);
  return 0;
}

/// For signatures beside a manifest, `.asc`.
int trust_openpgp(Context& context, const Arguments& arguments) {
  if (arguments.subjects.size() != 1) throw Error(Kind::kUsage, "name one file, as gpg --export writes it");
  const fs::path file = arguments.subjects.front();
  const std::string name = !arguments.name.empty() ? arguments.name : file.stem().string();
  const std::vector<std::string> fingerprints = trust_openpgp_key(file, name).fingerprints;
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"name", name}, {"fingerprints", fingerprints}})
            : fmt::format("trusting OpenPGP signatures of {} ({})\n", name, core::join(fingerprints, ", ")));
  return 0;
}

std::optional<std::string> statement_in(const std::string& subject) {
  if (!fs::is_regular_file(subject)) return std::nullopt;
  std::string text = core::read_text_file(subject, 64 << 10);
  if (text.starts_with('{')) return text;
  return std::nullopt;
}

int trust(Context& context, const Arguments& arguments) {
  if (arguments.openpgp) return trust_openpgp(context, arguments);
  std::vector<std::string> statements;
  for (const std::string& subject : arguments.subjects) {
    if (auto text = statement_in(subject)) statements.push_back(*std::move(text));
  }
  if (statements.empty() && arguments.subjects.size() == 1)
    return trust_one(context, arguments.subjects.front(), arguments);
  if (statements.size() != arguments.subjects.size())
    throw Error(Kind::kUsage, "trust one key, or statements that introduce keys");
  if (!arguments.name.empty() || !arguments.roles.empty() || !arguments.from.empty() ||
      !arguments.until.empty())
    throw Error(Kind::kUsage, "the name of an introduced key, its roles and its time are in the statement");
  return trust_statements(context, statements);
}

signing::Signer introducing_signer(Context& context, const Arguments& arguments) {
  return {load_signing_key(context, arguments.signing_key, arguments.passphrase, context.options.output_dir),
          core::build_time(context.clock)};
}

int say_statement(Context& context, const fs::path& file, const signing::Introduction& said,
                  const std::string& verb) {
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", said.name},
                                                 {"public_key", said.rule.key.line()},
                                                 {"statement", file.native()}})
                             : fmt::format("{} {} ({}) in {}\n"
                                           "next, for those who trust the signer: imgforge key trust {}\n",
                                           verb, said.name, said.rule.key.abbreviated(), file.native(),
                                           file.filename().native()));
  return 0;
}

int introduce(Context& context, const Arguments& arguments) {
  const signing::Signer signer = introducing_signer(context, arguments);
  if (const auto statement = statement_in(arguments.key)) {
    core::write_file_atomically(arguments.key, signing::add_introducer(signer, *statement));
    return say_statement(context, arguments.key, signing::read_introduction(*statement), "signed");
  }
  const signing::PublicKey key = find_key(load_trust({}), arguments.key);
  const std::string name = !arguments.name.empty()     ? arguments.name
                           : fs::exists(arguments.key) ? fs::path(arguments.key).stem().string()
                                                       : arguments.key;
  if (!signing::is_key_name(name))
    throw Error(Kind::kUsage, "\"" + core::escaped(name, 120) + "\" cannot be the name of a key");
  const signing::Introduction said{name, rule_argument(key, arguments), core::build_time(context.clock), {}};
  const fs::path file = arguments.output.empty() ? fs::path(name + ".introduction.json") : arguments.output;
  core::write_file_atomically(file, signing::introduce(signer, said));
  return say_statement(context, file, said, "introduced");
}

/// A new key of one's own takes the place of the old one.
int rotate(Context& context, const Arguments& arguments) {
  const signing::Signer signer = introducing_signer(context, arguments);
  const std::optional<core::UnixTime> end = time_argument(arguments.until);
  const fs::path secret = keys_folder() / (arguments.name + ".key");
  const fs::path public_half = keys_folder() / (arguments.name + ".pub");
  const auto passphrase = arguments.no_passphrase ? signing::no_passphrase()
                                                  : passphrase_source(arguments.passphrase, context.cancel);
  const signing::SecretKey key = signing::SecretKey::generate();
  signing::Introduction said{
      arguments.name, {key.public_key(), {}, {}, {}, {}, {}}, core::build_time(context.clock), end};
  // What the old key may do, and no more.
  const signing::KeyRule before = rule_of(load_trust({}), signer.key());
  if (before.roles.empty())
    throw Error(Kind::kUsage, "the old key is trusted for no role that it could hand on");
  if (before.roles.size() < signing::roles().size()) said.rule.roles = before.roles;
  const std::string statement = signing::introduce(signer, said);
  signing::create_key_pair(secret, public_half, key, *passphrase);
  const fs::path file =
      arguments.output.empty() ? fs::path(arguments.name + ".introduction.json") : arguments.output;
  core::write_file_atomically(file, statement);
  signing::record_introduction(trusted_folder(), {said, {signer.key()}});
  return say_statement(context, file, said, "rotated to");
}

int set_threshold(Context& context, const Arguments& arguments) {
  const signing::Role role = signing::parse_role(arguments.name);
  const bool is_number = !arguments.threshold.empty() && arguments.threshold.size() <= 2 &&
                         arguments.threshold.find_first_not_of("0123456789") == std::string::npos;
  const unsigned long number = is_number ? std::stoul(arguments.threshold) : 0;
  if (number < 1 || number > signing::kMaxThreshold)
    throw Error(Kind::kUsage, fmt::format("a threshold is a number from 1 to {}", signing::kMaxThreshold));
  signing::change_key_rules(trusted_folder(), [&](signing::KeyRules& rules) {
    if (number == 1) {
      rules.thresholds.erase(role);
    } else {
      rules.thresholds[role] = static_cast<unsigned>(number);
    }
  });
  const unsigned now = load_trust({}).threshold(role);
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"role", arguments.name}, {"threshold", now}})
            : fmt::format("{} distinct key{} to sign for the role {}{}\n", now, now == 1 ? " has" : "s have",
                          arguments.name, now == number ? "" : ", as another folder of trusted keys says"));
  return 0;
}

int revoke(Context& context, const Arguments& arguments) {
  const signing::TrustStore trust = load_trust({});
  const signing::PublicKey key = find_key(trust, arguments.key);
  const core::UnixTime since = time_argument(arguments.since).value_or(context.clock.now());
  signing::revoke_key(trusted_folder(), key, {since, arguments.reason});
  core::Json introduced = core::Json::array();
  std::string names;
  for (const signing::TrustedKey& other : trust.keys()) {
    const signing::KeyRule rule = rule_of(trust, other.key);
    if (std::none_of(rule.introduced_by.begin(), rule.introduced_by.end(),
                     [&](const signing::PublicKey& by) { return by.same_key(key); }))
      continue;
    introduced.push_back(other.key.line());
    names += (names.empty() ? "" : ", ") + trust.describe(other.key);
  }
  print(context.options.json
            ? core::print_json({{"schema", 1},
                                {"public_key", key.line()},
                                {"introduced", introduced},
                                {"revoked", {{"at", core::iso_time(since)}, {"reason", arguments.reason}}}})
            : fmt::format("revoked {}: nothing that it signed is accepted here\n{}", trust.describe(key),
                          names.empty() ? "" : "still trusted, and introduced by it: " + names + "\n"));
  return 0;
}

}  // namespace

void declare_key_trust(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  const auto signing_options = [&](OptionSet& command, const char* help) {
    command.option("--signing-key", arguments->signing_key, help);
    declare_passphrase(command, arguments->passphrase);
    command.option("--output", arguments->output, "file for the statement [NAME.introduction.json]");
  };
  OptionSet& trusting = set.command("trust", "trust a public key, or what trusted keys introduce");
  trusting
      .positional(
          "key", arguments->subjects,
          "a .pub file, the 56-character line out of one, or statements of key introduce and key rotate")
      .required();
  trusting.option("--name", arguments->name, "name to show for it [the file's name]");
  declare_rule(trusting, *arguments);
  trusting.flag("--openpgp", arguments->openpgp,
                "it is an OpenPGP key, as gpg --export writes it: signatures beside manifests are checked");
  trusting.set_runner([arguments](Context& context) { return trust(context, *arguments); });

  OptionSet& introducing = set.command("introduce", "state that another key is to be trusted too");
  introducing
      .positional(
          "key", arguments->key,
          "name of a trusted key, a .pub file, a key line; or a statement, which gets one signature more")
      .required();
  introducing.option("--name", arguments->name, "name of the key for others [the file's name]");
  declare_rule(introducing, *arguments);
  signing_options(introducing, "your key that says so [the only one]");
  introducing.set_runner([arguments](Context& context) { return introduce(context, *arguments); });

  OptionSet& rotating = set.command("rotate", "make a new key that takes the place of yours");
  rotating.positional("name", arguments->name, "name of the new key").required();
  rotating.flag("--no-passphrase", arguments->no_passphrase, "store the new key unencrypted (for CI)");
  rotating.option("--until", arguments->until,
                  "when the old key counts no more, as 2027-01-01T00:00:00Z [never]");
  signing_options(rotating, "the old key, which introduces the new one [the only one]");
  rotating.set_runner([arguments](Context& context) { return rotate(context, *arguments); });

  OptionSet& counting = set.command("threshold", "how many distinct keys have to sign");
  counting.positional("role", arguments->name, "release, catalogue, models or update").required();
  counting.positional("number", arguments->threshold, "how many; 1 is the usual").required();
  counting.set_runner([arguments](Context& context) { return set_threshold(context, *arguments); });

  OptionSet& revoking = set.command("revoke", "accept no signature of a key any more");
  revoking.positional("key", arguments->key, "name of a trusted key, a .pub file, or a key line").required();
  revoking.option("--reason", arguments->reason, "why, in one line; shown to whoever verifies").required();
  revoking.option("--since", arguments->since,
                  "from when it cannot be relied on, as 2026-11-20T01:02:03Z [now]");
  revoking.set_runner([arguments](Context& context) { return revoke(context, *arguments); });
}

}  // namespace imgforge::cli
