// Keys that other keys introduce, roles, and how many have to sign.
#include "signing/trust/introduction.hpp"

#include <map>

#include "core/iso_time.hpp"
#include "signing/formats/dsse.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using core::Reason;
using testing::expect_error;

core::UnixTime at(std::string_view text) {
  return core::parse_iso_time(text).value();
}

const core::UnixTime kNow = at("2026-11-20T00:00:00Z");

class Introductions : public testing::Scratch {
 protected:
  /// The key of that name, the same in one test.
  const SecretKey& key(const std::string& name) {
    return *keys_.try_emplace(name, std::make_shared<const SecretKey>(SecretKey::generate())).first->second;
  }
  Signer signer(const std::string& name) {
    key(name);
    return Signer(keys_.at(name), kNow);
  }
  void trust(const std::string& name) { trust_key(folder_.path(), name, key(name).public_key()); }
  TrustStore store(core::UnixTime now = kNow) {
    TrustStore made(now);
    made.add_folder(folder_.path());
    return made;
  }
  Introduction introduction(const std::string& name, std::vector<Role> roles = {}) {
    return {name, {key(name).public_key(), {}, {}, {}, std::move(roles), {}}, kNow, {}};
  }
  std::string said(const std::string& by, const std::string& name, std::vector<Role> roles = {}) {
    return introduce(signer(by), introduction(name, std::move(roles)));
  }
  /// Why the statements are not believed; kNone when they are.
  Reason verdict(const std::vector<std::string>& statements, core::UnixTime now = kNow) {
    TrustStore trusting = store(now);
    try {
      for (const Introduced& introduced : follow_introductions(trusting, statements))
        record_introduction(folder_.path(), introduced);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), Kind::kSignature) << error.message();
      return error.reason();
    }
    return Reason::kNone;
  }
  std::string signature(const std::string& name, std::string_view text = "text") {
    return signer(name).sign("file", text);
  }
  /// Who signed "text", by names without ids; or the reason of the refusal.
  std::string counted(const std::vector<std::string>& names, Role role = Role::kRelease) {
    std::vector<std::string> signatures;
    for (const std::string& name : names) signatures.push_back(signature(name));
    try {
      std::string out;
      for (const NamedSignature& found : store().verify_all("text", signatures, role))
        out += (out.empty() ? "" : " ") + found.signer.substr(0, found.signer.find(' '));
      return out;
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), Kind::kSignature);
      return std::string(core::reason_name(error.reason()));
    }
  }
  void rule(const std::string& name, const std::function<void(KeyRule&)>& change) {
    change_key_rules(folder_.path(), [&](KeyRules& rules) { change(rules.rule_of(key(name).public_key())); });
  }
  void threshold(Role role, unsigned number) {
    change_key_rules(folder_.path(), [&](KeyRules& rules) { rules.thresholds[role] = number; });
  }

  std::map<std::string, std::shared_ptr<const SecretKey>> keys_;
};

TEST_F(Introductions, SignaturesOfDistinctKeysAreCounted) {
  for (const char* name : {"anna", "ben"}) trust(name);
  EXPECT_EQ(counted({"anna"}), "anna");
  threshold(Role::kRelease, 2);
  EXPECT_EQ(counted({"anna"}), "below_threshold");
  EXPECT_EQ(counted({"anna", "anna"}), "below_threshold");
  EXPECT_EQ(counted({"anna", "stranger"}), "below_threshold");
  EXPECT_EQ(counted({"anna", "ben"}), "anna ben");
  EXPECT_EQ(counted({"stranger"}), "unknown_key");
  EXPECT_EQ(counted({"anna"}, Role::kModels), "anna") << "the other roles ask for one";
  EXPECT_EQ(counted({}), "unsigned");
}

TEST_F(Introductions, OneKeyUnderTwoIdsIsOne) {
  trust("anna");
  const PublicKey other_id({9, 9, 9, 9, 9, 9, 9, 9}, key("anna").public_key().point());
  trust_key(folder_.path(), "again", other_id);
  threshold(Role::kRelease, 2);
  std::string renamed = signature("anna");
  Signature parsed = Signature::parse(renamed);
  parsed.key_id = other_id.raw_id();
  renamed = parsed.text();
  EXPECT_EQ(expect_error(Kind::kSignature, "1 of the 2",
                         [&] {
                           store().verify_all("text", {signature("anna"), renamed});
                         })
                .reason(),
            Reason::kBelowThreshold);
}

TEST_F(Introductions, KeyThatDoesNotCountIsPassedOverAndABrokenFirstSignatureIsNot) {
  for (const char* name : {"anna", "ben"}) trust(name);
  rule("anna", [](KeyRule& r) { r.revoked = Revocation{kNow, "lost"}; });
  EXPECT_EQ(counted({"anna"}), "revoked_key");
  EXPECT_EQ(counted({"anna", "ben"}), "ben") << "signed again by another key";
  rule("ben", [](KeyRule& r) { r.valid_until = kNow; });
  EXPECT_EQ(counted({"ben", "anna"}), "expired");
  const std::string good = signature("cleo");
  const std::string broken = signature("cleo", "other text");
  trust("cleo");
  const auto reason = [&](const std::vector<std::string>& signatures) {
    return expect_error(Kind::kSignature, "", [&] { store().verify_all("text", signatures); }).reason();
  };
  EXPECT_EQ(reason({broken, good}), Reason::kBadSignature);
  EXPECT_EQ(store().verify_all("text", {good, broken}).size(), 1U) << "anybody may have put it there";
  threshold(Role::kRelease, 2);
  EXPECT_EQ(reason({good, broken}), Reason::kBadSignature) << "it is missed";
}

TEST_F(Introductions, RolesLimitWhatAKeyVouchesFor) {
  trust("anna");
  rule("anna", [](KeyRule& r) { r.roles = {Role::kModels}; });
  EXPECT_EQ(counted({"anna"}, Role::kModels), "anna");
  EXPECT_EQ(counted({"anna"}), "unknown_key");
  EXPECT_TRUE(store().is_named_for(key("anna").public_key(), Role::kModels));
  EXPECT_FALSE(store().is_named_for(key("anna").public_key(), Role::kRelease));
  trust("ben");
  EXPECT_EQ(counted({"ben"}), "ben");
  EXPECT_FALSE(store().is_named_for(key("ben").public_key(), Role::kRelease)) << "everything is not a name";
}

TEST_F(Introductions, ChainIsFollowedInAnyOrder) {
  trust("anna");
  EXPECT_EQ(verdict({said("ben", "cleo"), said("anna", "ben")}), Reason::kNone);
  EXPECT_EQ(counted({"cleo"}), "cleo");
  const std::vector<KeyRule> rules = store().rules_of(key("cleo").public_key());
  ASSERT_EQ(rules.size(), 1U);
  ASSERT_EQ(rules[0].introduced_by.size(), 1U);
  EXPECT_TRUE(rules[0].introduced_by[0].same_key(key("ben").public_key()));
}

TEST_F(Introductions, NothingIsTakenUnlessAllIsBelieved) {
  trust("anna");
  EXPECT_EQ(verdict({said("anna", "ben"), said("stranger", "eve")}), Reason::kUnknownKey);
  EXPECT_EQ(store().find(key("ben").public_key()), nullptr);
}

TEST_F(Introductions, WhoDoesNotCountIntroducesNobody) {
  trust("anna");
  EXPECT_EQ(verdict({said("stranger", "eve")}), Reason::kUnknownKey);
  EXPECT_EQ(verdict({said("eve", "eve")}), Reason::kUnknownKey) << "by itself";
  rule("anna", [](KeyRule& r) { r.valid_until = kNow; });
  EXPECT_EQ(verdict({said("anna", "eve")}), Reason::kExpired);
  EXPECT_EQ(verdict({said("anna", "eve")}, kNow - std::chrono::seconds(1)), Reason::kNone);
  rule("anna", [](KeyRule& r) { r.revoked = Revocation{kNow, "lost"}; });
  EXPECT_EQ(verdict({said("anna", "mallory")}), Reason::kRevokedKey);
}

TEST_F(Introductions, RevokedKeyIsNotIntroducedAgain) {
  trust("anna");
  revoke_key(folder_.path(), key("ben").public_key(), {kNow, "lost"});
  EXPECT_EQ(verdict({said("anna", "ben")}), Reason::kRevokedKey);
}

TEST_F(Introductions, NobodyHandsOnMoreThanHeHas) {
  trust("anna");
  rule("anna", [](KeyRule& r) { r.roles = {Role::kRelease}; });
  EXPECT_EQ(verdict({said("anna", "eve")}), Reason::kUnknownKey) << "everything";
  EXPECT_EQ(verdict({said("anna", "eve", {Role::kRelease, Role::kUpdate})}), Reason::kUnknownKey);
  EXPECT_EQ(verdict({said("anna", "ben", {Role::kRelease})}), Reason::kNone);
  EXPECT_EQ(counted({"ben"}), "ben");
  EXPECT_EQ(counted({"ben"}, Role::kUpdate), "unknown_key");
}

TEST_F(Introductions, OneKeyDoesNotMakeTheSecondOfTwo) {
  for (const char* name : {"anna", "ben"}) trust(name);
  threshold(Role::kRelease, 2);
  const std::string one = said("anna", "eve");
  EXPECT_EQ(verdict({one}), Reason::kBelowThreshold);
  EXPECT_EQ(verdict({one, said("ben", "eve")}), Reason::kBelowThreshold) << "two statements of one each";
  EXPECT_EQ(verdict({said("anna", "eve", {Role::kModels})}), Reason::kNone) << "where one has to sign";
  const std::string two = add_introducer(signer("ben"), said("anna", "cleo"));
  EXPECT_EQ(verdict({two}), Reason::kNone);
  EXPECT_EQ(counted({"cleo", "ben"}), "cleo ben");
  expect_error(Kind::kUsage, "already", [&] { add_introducer(signer("ben"), two); });
}

TEST_F(Introductions, RotationEndsTheSigners) {
  trust("anna");
  Introduction rotation = introduction("anna-2");
  rotation.signers_until = kNow + std::chrono::hours(1);
  EXPECT_EQ(verdict({introduce(signer("anna"), rotation)}), Reason::kNone);
  EXPECT_EQ(counted({"anna"}), "anna");
  EXPECT_EQ(store(kNow + std::chrono::hours(1)).verify_all("text", {signature("anna-2")}).size(), 1U);
  EXPECT_EQ(expect_error(Kind::kSignature, "counted until",
                         [&] { store(kNow + std::chrono::hours(1)).verify_all("text", {signature("anna")}); })
                .reason(),
            Reason::kExpired);
}

TEST_F(Introductions, StatementLiftsNoLimitOfTheFolder) {
  trust("anna");
  rule("ben", [](KeyRule& r) {
    r.roles = {Role::kModels};
    r.valid_until = kNow;
  });
  EXPECT_EQ(verdict({said("anna", "ben")}), Reason::kNone);
  EXPECT_EQ(counted({"ben"}, Role::kModels), "expired");
  EXPECT_EQ(counted({"ben"}), "expired");
}

TEST_F(Introductions, NameThatIsTakenIsRefused) {
  trust("anna");
  write("ben.pub", SecretKey::generate().public_key().file_text());
  TrustStore trusting = store();
  for (const Introduced& introduced : follow_introductions(trusting, {said("anna", "ben")}))
    expect_error(Kind::kUsage, "exists already", [&] { record_introduction(folder_.path(), introduced); });
  EXPECT_EQ(store().find(key("ben").public_key()), nullptr);
}

TEST_F(Introductions, EveryByteCounts) {
  trust("anna");
  const std::string statement = said("anna", "ben", {Role::kRelease});
  for (std::size_t i = 0; i < statement.size(); ++i) {
    std::string changed = statement;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    if (changed.find(key("anna").public_key().id()) == std::string::npos) continue;  // the id is a hint
    EXPECT_NE(verdict({changed}), Reason::kNone) << i;
  }
  EXPECT_EQ(store().find(key("ben").public_key()), nullptr);
}

TEST_F(Introductions, MalformedOnes) {
  trust("anna");
  const std::string public_key = key("ben").public_key().line();
  const auto sealed = [&](const std::string& payload,
                          const std::string& type = std::string(kIntroductionType)) {
    return dsse_sign(signer("anna"), type, payload).text();
  };
  const std::string good =
      R"({"schema":1,"made":"2026-11-20T00:00:00Z","introduces":{"name":"ben","public_key":")" + public_key +
      "\"}}";
  EXPECT_EQ(verdict({sealed(good, "application/vnd.in-toto+json")}), Reason::kWrongSubject);
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"schema\":1", "\"schema\":2"},
           {"\"schema\":1,", ""},
           {"\"schema\":1,", "\"schema\":1,\"schema\":1,"},
           {"\"schema\":1,", "\"schema\":1,\"more\":1,"},
           {"2026-11-20T00:00:00Z", "yesterday"},
           {"\"name\":\"ben\"", "\"name\":\"../ben\""},
           {"\"name\":\"ben\"", "\"name\":\"-ben\""},
           {"\"name\":\"ben\",", ""},
           {"\"name\":\"ben\"", "\"name\":\"ben\",\"roles\":[]"},
           {"\"name\":\"ben\"", "\"name\":\"ben\",\"roles\":[\"root\"]"},
           {"\"name\":\"ben\"", "\"name\":\"ben\",\"roles\":[\"release\",\"release\"]"},
           {"\"name\":\"ben\"", "\"name\":\"ben\",\"revoked\":{}"},
           {"\"name\":\"ben\"", "\"name\":\"ben\",\"introduced_by\":[]"},
           {public_key, "RWQ"}}) {
    std::string payload = good;
    payload.replace(payload.find(from), from.size(), to);
    EXPECT_EQ(verdict({sealed(payload)}), Reason::kMalformed) << payload;
  }
  EXPECT_EQ(verdict({sealed(good)}), Reason::kNone);
}

}  // namespace
}  // namespace imgforge::signing
