// From when until when a key counts, and what revokes it.
#include "signing/trust/key_rules.hpp"

#include <sys/stat.h>

#include "core/iso_time.hpp"
#include "signing/trust/trust.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using core::Reason;
using testing::expect_error;
using testing::kVectorPublic;
using testing::kVectorSignature;

constexpr std::string_view kLine = "RWQBAgMEBQYHCAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

core::UnixTime at(std::string_view text) {
  return core::parse_iso_time(text).value();
}

std::string file_with(std::string_view members) {
  return R"({"schema": 1, "keys": [{"public_key": ")" + std::string(kLine) + "\"" + std::string(members) +
         "}]}";
}

class RulesOfKeys : public testing::Scratch {
 protected:
  void SetUp() override { write("alice.pub", kVectorPublic); }
  /// Why the vector's signature is refused at that time; kNone when it counts.
  Reason verdict(std::string_view now) {
    TrustStore store(at(now));
    store.add_folder(folder_.path());
    try {
      store.verify("test", kVectorSignature);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), Kind::kSignature);
      return error.reason();
    }
    return Reason::kNone;
  }
};

TEST_F(RulesOfKeys, KeyWithoutRulesCountsAlways) {
  EXPECT_EQ(verdict("1970-01-01T00:00:00Z"), Reason::kNone);
  EXPECT_EQ(verdict("2200-01-01T00:00:00Z"), Reason::kNone);
  write("trust.json", R"({"schema": 1, "keys": []})");
  EXPECT_EQ(verdict("2200-01-01T00:00:00Z"), Reason::kNone);
}

TEST_F(RulesOfKeys, CountsFromTheFirstSecondUntilBeforeTheLast) {
  write("trust.json",
        file_with(R"(, "valid_from": "2026-01-10T00:00:00Z", "valid_until": "2026-01-20T00:00:00Z")"));
  EXPECT_EQ(verdict("2026-01-09T23:59:59Z"), Reason::kNotYetValid);
  EXPECT_EQ(verdict("2026-01-10T00:00:00Z"), Reason::kNone);
  EXPECT_EQ(verdict("2026-01-19T23:59:59Z"), Reason::kNone);
  EXPECT_EQ(verdict("2026-01-20T00:00:00Z"), Reason::kExpired);
}

TEST_F(RulesOfKeys, ClockThatIsOffByADayIsNoticedBothWays) {
  write("trust.json",
        file_with(R"(, "valid_from": "2026-01-10T00:00:00Z", "valid_until": "2026-01-11T00:00:00Z")"));
  EXPECT_EQ(verdict("2026-01-10T12:00:00Z"), Reason::kNone);
  EXPECT_EQ(verdict("2026-01-09T12:00:00Z"), Reason::kNotYetValid);
  EXPECT_EQ(verdict("2026-01-11T12:00:00Z"), Reason::kExpired);
}

TEST_F(RulesOfKeys, RevokedKeyNeverCounts) {
  // The vector's comment claims 2023: a claim proves nothing.
  revoke_key(folder_.path(), PublicKey::parse(kVectorPublic), {at("2026-05-01T00:00:00Z"), "laptop lost"});
  EXPECT_EQ(verdict("2026-06-01T00:00:00Z"), Reason::kRevokedKey);
  EXPECT_EQ(verdict("2026-04-01T00:00:00Z"), Reason::kRevokedKey) << "a clock that is set back";
  TrustStore store(at("2026-06-01T00:00:00Z"));
  store.add_folder(folder_.path());
  expect_error(Kind::kSignature, "2026-05-01T00:00:00Z: laptop lost",
               [&] { store.verify("test", kVectorSignature); });
}

TEST_F(RulesOfKeys, RevocationOfOneFolderHoldsForKeysOfAllOthers) {
  const auto other = folder_ / "other";
  ASSERT_TRUE(std::filesystem::create_directory(other));
  write("trust.json", file_with(R"(, "revoked": {"at": "2026-05-01T00:00:00Z", "reason": "lost"})"));
  core::write_file_atomically(other / "alice.pub", kVectorPublic);
  core::write_file_atomically(other / "trust.json", file_with(""));
  for (const bool system_first : {true, false}) {
    TrustStore store(at("2026-06-01T00:00:00Z"));
    store.add_folder(system_first ? folder_.path() : other);
    store.add_folder(system_first ? other : folder_.path());
    store.add(kLine);
    expect_error(Kind::kSignature, "was revoked", [&] { store.verify("test", kVectorSignature); });
  }
}

TEST_F(RulesOfKeys, AnotherIdDoesNotSaveARevokedKey) {
  const PublicKey renamed({9, 9, 9, 9, 9, 9, 9, 9}, PublicKey::parse(kVectorPublic).point());
  revoke_key(folder_.path(), renamed, {at("2026-05-01T00:00:00Z"), "lost"});
  EXPECT_EQ(verdict("2026-06-01T00:00:00Z"), Reason::kRevokedKey);
}

TEST_F(RulesOfKeys, RevocationKeepsOtherRulesAndTheEarlierTime) {
  const PublicKey key = PublicKey::parse(kVectorPublic);
  const PublicKey other = SecretKey::generate().public_key();
  write("trust.json", file_with(R"(, "valid_from": "2026-01-10T00:00:00Z")"));
  revoke_key(folder_.path(), key, {at("2026-05-02T00:00:00Z"), "first"});
  revoke_key(folder_.path(), key, {at("2026-05-03T00:00:00Z"), "later"});
  revoke_key(folder_.path(), other, {at("2026-05-04T00:00:00Z"), "other"});
  revoke_key(folder_.path(), key, {at("2026-05-01T00:00:00Z"), "earlier"});
  const auto rules = load_key_rules(folder_.path());
  ASSERT_EQ(rules.keys.size(), 2U);
  EXPECT_EQ(rules.keys[0].valid_from, at("2026-01-10T00:00:00Z"));
  EXPECT_EQ(rules.keys[0].revoked->at, at("2026-05-01T00:00:00Z"));
  EXPECT_EQ(rules.keys[0].revoked->reason, "first");
  EXPECT_TRUE(rules.keys[1].key == other);
  EXPECT_EQ(files_left(), 2U);
}

TEST_F(RulesOfKeys, PrintedRulesAreReadAgain) {
  const std::string text = print_key_rules(parse_key_rules(file_with(
      R"(, "valid_from": "2026-01-10T00:00:00Z", "valid_until": "2026-01-11T00:00:00Z",
           "revoked": {"at": "2026-05-01T00:00:00Z", "reason": "lost"})")));
  EXPECT_EQ(print_key_rules(parse_key_rules(text)), text);
  EXPECT_NE(text.find("\"valid_until\": \"2026-01-11T00:00:00Z\""), std::string::npos);
}

TEST_F(RulesOfKeys, ReasonsAreOneLine) {
  const PublicKey key = PublicKey::parse(kVectorPublic);
  for (const std::string& reason :
       {std::string(), std::string("a\nb"), std::string(401, 'x'), std::string("\xff")}) {
    expect_error(Kind::kUsage, "reason", [&] {
      revoke_key(folder_.path(), key, {at("2026-05-01T00:00:00Z"), reason});
    });
  }
  EXPECT_EQ(files_left(), 1U);
}

}  // namespace
}  // namespace imgforge::signing
