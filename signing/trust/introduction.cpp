#include "signing/trust/introduction.hpp"

#include <algorithm>

#include "core/counting.hpp"
#include "core/error.hpp"
#include "core/iso_time.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/keys/distinct_keys.hpp"
#include "signing/trust/rules_json.hpp"

namespace imgforge::signing {

using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

namespace {

std::string payload_of(const Introduction& introduction) {
  Json introduces = rule_json(introduction.rule);
  introduces["name"] = introduction.name;
  Json payload{{"schema", 1}, {"made", core::iso_time(introduction.made)}, {"introduces", introduces}};
  if (introduction.signers_until) payload["signers_until"] = core::iso_time(*introduction.signers_until);
  return payload.dump();
}

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kSignature, "no introduction of a key: " + why).reason(Reason::kMalformed));
}

Introduction parse(const DsseEnvelope& envelope) {
  if (envelope.payload_type != kIntroductionType)
    throw Error(Kind::kSignature, "the envelope holds " + core::escaped(envelope.payload_type, 120) +
                                      ", not the introduction of a key")
        .reason(Reason::kWrongSubject);
  Json json;
  try {
    json = core::parse_json(envelope.payload, "introduction");
  } catch (const Error& error) {
    throw malformed(error.message());
  }
  require_members(json, {"schema", "made", "introduces", "signers_until"}, "the statement");
  if (!json.contains("schema") || json.at("schema") != 1) throw malformed("schema is not 1");
  if (!json.contains("introduces")) throw malformed("it introduces nobody");
  const Json& introduces = json.at("introduces");
  require_members(introduces, {"name", "public_key", "roles", "valid_from", "valid_until"}, "introduces");
  Json rule = introduces;
  rule.erase("name");
  Introduction introduction{text_of(introduces, "name"), parse_rule(rule), time_of(json, "made"),
                            optional_time(json, "signers_until")};
  if (!is_key_name(introduction.name)) throw malformed("the name is no plain file name");
  return introduction;
}

/// Those who count for every role that the new key gets. Throws the first reason why there are too few.
std::vector<PublicKey> introducers(const DsseEnvelope& envelope, const Introduction& introduction,
                                   const TrustStore& trust) {
  const std::vector<PublicKey> signers = dsse_verify(envelope, kIntroductionType, trust.public_keys());
  const std::vector<Role>& asked = introduction.rule.roles;
  std::vector<PublicKey> all;
  for (const Role role : asked.empty() ? std::vector<Role>(roles().begin(), roles().end()) : asked) {
    std::vector<PublicKey> counting;
    std::optional<Error> first;
    for (const PublicKey& key : signers) {
      try {
        trust.require_valid(key, role);
        add_distinct(counting, key);
      } catch (const Error& error) {
        if (!core::does_not_count(error.reason())) throw;
        if (!first) first = error;
      }
    }
    if (counting.empty() && first) throw Error(*first);
    trust.require_enough(counting.size(), role);
    for (const PublicKey& key : counting) add_distinct(all, key);
  }
  return all;
}

}  // namespace

std::string introduce(const Signer& signer, const Introduction& introduction) {
  return dsse_sign(signer, std::string(kIntroductionType), payload_of(introduction)).text();
}

std::string add_introducer(const Signer& signer, std::string_view text) {
  DsseEnvelope envelope = DsseEnvelope::parse(text);
  parse(envelope);
  const DsseEnvelope more = dsse_sign(signer, envelope.payload_type, envelope.payload);
  for (const DsseSignature& row : envelope.signatures) {
    if (row.signature == more.signatures.front().signature)
      throw Error(Kind::kUsage, "this key has signed the statement already");
  }
  envelope.signatures.push_back(more.signatures.front());
  return envelope.text();
}

Introduction read_introduction(std::string_view envelope) {
  return parse(DsseEnvelope::parse(envelope));
}

std::vector<Introduced> follow_introductions(TrustStore& trust, const std::vector<std::string>& envelopes) {
  struct Waiting {
    DsseEnvelope envelope;
    Introduction introduction;
  };
  std::vector<Waiting> waiting;
  for (const std::string& text : envelopes) {
    DsseEnvelope envelope = DsseEnvelope::parse(text);
    Introduction introduction = parse(envelope);
    waiting.push_back({std::move(envelope), std::move(introduction)});
  }
  std::vector<Introduced> believed;
  while (!waiting.empty()) {
    std::optional<Error> first;
    const std::size_t before = believed.size();
    bool known = false;
    for (auto it = waiting.begin(); it != waiting.end();) {
      try {
        if (trust.find(it->introduction.rule.key) != nullptr) {
          it = waiting.erase(it);
          known = true;
          continue;
        }
        Introduced introduced{it->introduction, introducers(it->envelope, it->introduction, trust)};
        trust.require_not_revoked(introduced.introduction.rule.key);
        trust.add(introduced.introduction.name, introduced.introduction.rule);
        believed.push_back(std::move(introduced));
        it = waiting.erase(it);
      } catch (const Error& error) {
        // The key that signed this one may be introduced by another of them.
        if (error.reason() != Reason::kUnknownKey && error.reason() != Reason::kBelowThreshold) throw;
        if (!first) first = error;
        ++it;
      }
    }
    if (believed.size() == before && !known) throw Error(first.value());
  }
  return believed;
}

void record_introduction(const std::filesystem::path& folder, const Introduced& introduced) {
  const Introduction& said = introduced.introduction;
  // The rule first: without it the key would be trusted for more than was said.
  change_key_rules(folder, [&](KeyRules& rules) {
    KeyRule& rule = rules.rule_of(said.rule.key);
    // What this folder says already stays: a statement lifts no limit.
    if (!rule.valid_from) rule.valid_from = said.rule.valid_from;
    if (!rule.valid_until) rule.valid_until = said.rule.valid_until;
    if (rule.roles.empty()) rule.roles = said.rule.roles;
    rule.introduced_by = introduced.by;
    if (!said.signers_until) return;
    for (const PublicKey& key : introduced.by) {
      std::optional<core::UnixTime>& until = rules.rule_of(key).valid_until;
      until = until ? std::min(*until, *said.signers_until) : *said.signers_until;
    }
  });
  trust_key(folder, said.name, said.rule.key);
}

}  // namespace imgforge::signing
