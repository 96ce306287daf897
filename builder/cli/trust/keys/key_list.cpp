// imgforge key list, show: whose signatures count here, and what limits them.
#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/trust/keys/key_commands.hpp"
#include "core/error.hpp"
#include "core/iso_time.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

signing::KeyRule rule_of(const signing::TrustStore& trust, const signing::PublicKey& key) {
  signing::KeyRule sum{key, {}, {}, {}, {}, {}};
  const std::vector<signing::KeyRule> rules = trust.rules_of(key);
  for (const signing::KeyRule& rule : rules) {
    if (rule.valid_from) sum.valid_from = std::max(rule.valid_from, sum.valid_from);
    if (rule.valid_until && (!sum.valid_until || *rule.valid_until < *sum.valid_until))
      sum.valid_until = rule.valid_until;
    if (rule.revoked) sum.revoked = rule.revoked;
    for (const signing::PublicKey& by : rule.introduced_by) sum.introduced_by.push_back(by);
  }
  for (const signing::Role role : signing::roles()) {
    if (std::all_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule.serves(role); }))
      sum.roles.push_back(role);
  }
  return sum;
}

namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

/// Empty for a key that counts now in one of its roles, else why it does not: "revoked_key", "expired",
/// "not_yet_valid".
std::string_view refusal(const signing::TrustStore& trust, const signing::PublicKey& key) {
  std::string_view why;
  for (const signing::Role role : signing::roles()) {
    try {
      trust.require_valid(key, role);
      return {};
    } catch (const Error& error) {
      if (error.reason() != core::Reason::kUnknownKey) return core::reason_name(error.reason());
      why = core::reason_name(error.reason());
    }
  }
  return why;
}

core::Json key_json(const signing::TrustStore& trust, const signing::TrustedKey& key, bool own) {
  const signing::KeyRule rule = rule_of(trust, key.key);
  core::Json row{{"name", key.name}, {"id", key.key.id()}, {"public_key", key.key.line()}, {"own", own}};
  row["roles"] = core::Json::array();
  for (const signing::Role role : rule.roles) row["roles"].push_back(signing::role_name(role));
  if (rule.valid_from) row["valid_from"] = core::iso_time(*rule.valid_from);
  if (rule.valid_until) row["valid_until"] = core::iso_time(*rule.valid_until);
  if (rule.revoked)
    row["revoked"] = {{"at", core::iso_time(rule.revoked->at)}, {"reason", rule.revoked->reason}};
  for (const signing::PublicKey& by : rule.introduced_by) row["introduced_by"].push_back(by.line());
  if (const std::string_view refused = refusal(trust, key.key); !refused.empty()) row["refused"] = refused;
  return row;
}

/// "release, catalogue, until 2027-01-01T00:00:00Z, introduced by alice (RW...)"; empty when nothing limits
/// it.
std::string limits_text(const signing::TrustStore& trust, const signing::PublicKey& key) {
  const signing::KeyRule rule = rule_of(trust, key);
  std::vector<std::string> words;
  if (rule.roles.size() < signing::roles().size()) {
    for (const signing::Role role : rule.roles) words.emplace_back(signing::role_name(role));
    if (rule.roles.empty()) words.emplace_back("no role");
  }
  if (rule.valid_from) words.push_back("from " + core::iso_time(*rule.valid_from));
  if (rule.valid_until) words.push_back("until " + core::iso_time(*rule.valid_until));
  for (const signing::PublicKey& by : rule.introduced_by)
    words.push_back("introduced by " + trust.describe(by));
  if (rule.revoked)
    words.push_back("revoked as of " + core::iso_time(rule.revoked->at) + ": " +
                    core::escaped(rule.revoked->reason));
  return core::join(words, ", ");
}

int list(Context& context, const std::string& name) {
  const signing::TrustStore trust = load_trust({});
  core::Json rows = core::Json::array();
  std::string text;
  for (const signing::TrustedKey& key : trust.keys()) {
    if (!name.empty() && key.name != name) continue;
    const bool own =
        fs::exists(keys_folder() / (key.name + ".key")) || fs::exists(keys_folder() / (key.name + ".signer"));
    rows.push_back(key_json(trust, key, own));
    const std::string_view refused = refusal(trust, key.key);
    text += fmt::format("{:<24} {}  {}{}{}\n", key.name, key.key.line(), own ? "yours" : "trusted",
                        refused.empty() ? "" : ", refused: ", refused);
    if (const std::string limits = limits_text(trust, key.key); !limits.empty())
      text += "    " + limits + "\n";
  }
  if (text.empty() && !name.empty())
    throw Error(Kind::kUsage, "there is no trusted key " + core::escaped(name, 120))
        .hint("imgforge key list lists them");
  if (text.empty())
    text = "no keys: make one with imgforge key generate NAME, or trust one with imgforge key trust FILE\n";
  core::Json thresholds = core::Json::object();
  for (const signing::Role role : signing::roles()) {
    if (trust.threshold(role) < 2) continue;
    thresholds[std::string(signing::role_name(role))] = trust.threshold(role);
    text += fmt::format("{} keys have to sign for the role {}\n", trust.threshold(role),
                        signing::role_name(role));
  }
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"keys", rows}, {"thresholds", std::move(thresholds)}})
            : text);
  return 0;
}

}  // namespace

void declare_key_list(OptionSet& set) {
  auto name = std::make_shared<std::string>();
  set.command("list", "list your keys and the keys you trust").set_runner([](Context& context) {
    return list(context, "");
  });
  OptionSet& showing = set.command("show", "one of them, or all");
  showing.positional("name", *name, "name of a trusted key [all]");
  showing.set_runner([name](Context& context) { return list(context, *name); });
}

}  // namespace imgforge::cli
