// Rules of trusted keys that are damaged or made to be read in two ways: none of them may trust anybody.
#include "signing/trust/key_rules.hpp"

#include <sys/stat.h>

#include <filesystem>

#include "signing/trust/trust.hpp"
#include "unit/signing/signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using testing::expect_error;
using testing::kVectorPublic;

constexpr std::string_view kKey =
    R"("public_key": "RWQBAgMEBQYHCAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4")";
constexpr std::string_view kSameKeyOtherId =
    R"("public_key": "RWQJCQkJCQkJCQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4")";

std::string with(std::string_view members) {
  return R"({"schema": 1, "keys": [{)" + std::string(kKey) + std::string(members) + "}]}";
}

void refused(const std::string& text) {
  SCOPED_TRACE(text);
  const core::Error error = expect_error(Kind::kSignature, "malformed", [&] { parse_key_rules(text); });
  EXPECT_EQ(error.reason(), core::Reason::kMalformed);
}

using HostileKeyRules = testing::Scratch;

TEST_F(HostileKeyRules, Outline) {
  parse_key_rules(with(""));
  for (const char* text :
       {"", "{", "[]", "null", "{}", R"({"schema": 1})", R"({"keys": []})", R"({"schema": 2, "keys": []})",
        R"({"schema": "1", "keys": []})", R"({"schema": 1.0, "keys": []})", R"({"schema": 1, "keys": {}})",
        R"({"schema": 1, "keys": [[]]})", R"({"schema": 1, "keys": [{}]})"}) {
    refused(text);
  }
}

TEST_F(HostileKeyRules, UnknownMembers) {
  refused(R"({"schema": 1, "keys": [], "revoked": []})");
  refused(with(R"(, "Revoked": {"at": "2026-05-01T00:00:00Z", "reason": "x"})"));
  refused(
      with(R"(, "revoked": {"at": "2026-05-01T00:00:00Z", "reason": "x", "until": "2026-05-02T00:00:00Z"})"));
}

TEST_F(HostileKeyRules, ThresholdsAreNotPassedOver) {
  for (const char* value : {"0", "-1", "\"2\"", "2"}) {
    refused(R"({"schema": 1, "keys": [], "threshold": )" + std::string(value) + "}");
    refused(with(R"(, "threshold": )" + std::string(value)));
  }
}

TEST_F(HostileKeyRules, DuplicateMembersAndKeys) {
  refused(with(R"(, "valid_from": "2026-05-01T00:00:00Z", "valid_from": "2026-05-02T00:00:00Z")"));
  refused(R"({"schema": 1, "keys": [], "keys": []})");
  refused(R"({"schema": 1, "keys": [{)" + std::string(kKey) + "}, {" + std::string(kKey) + "}]}");
  refused(R"({"schema": 1, "keys": [{)" + std::string(kKey) + "}, {" + std::string(kSameKeyOtherId) + "}]}");
}

TEST_F(HostileKeyRules, Times) {
  for (const char* time : {"1", "null", "\"\"", "\"2026-05-01\"", "\"2026-13-01T00:00:00Z\"",
                           "\"2026-05-01T00:00:00+01:00\"", "\"2026-05-01T00:00:00Z \"", "[]"}) {
    refused(with(R"(, "valid_from": )" + std::string(time)));
    refused(with(R"(, "valid_until": )" + std::string(time)));
    refused(with(R"(, "revoked": {"reason": "x", "at": )" + std::string(time) + "}"));
  }
  refused(with(R"(, "valid_from": "2026-05-01T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z")"));
}

TEST_F(HostileKeyRules, Revocations) {
  for (const char* value : {"null", "true", "false", "{}", R"({"at": "2026-05-01T00:00:00Z"})",
                            R"({"reason": "x"})", R"({"at": "2026-05-01T00:00:00Z", "reason": ""})",
                            R"({"at": "2026-05-01T00:00:00Z", "reason": "a\u001b[2J"})",
                            R"({"at": "2026-05-01T00:00:00Z", "reason": 1})"}) {
    refused(with(R"(, "revoked": )" + std::string(value)));
  }
}

TEST_F(HostileKeyRules, KeyOfSmallOrder) {
  expect_error(Kind::kSignature, "key", [] {
    parse_key_rules(
        R"({"schema": 1, "keys": [{"public_key": "RWQBAgMEBQYHCAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]})");
  });
}

TEST_F(HostileKeyRules, DamagedFileTakesTheWholeFolderAway) {
  write("alice.pub", kVectorPublic);
  write("trust.json", "{");
  TrustStore store;
  expect_error(Kind::kSignature, "malformed rules", [&] { store.add_folder(folder_.path()); });
  expect_error(Kind::kSignature, "malformed rules", [&] {
    revoke_key(folder_.path(), PublicKey::parse(kVectorPublic), {core::UnixTime(), "x"});
  });
}

TEST_F(HostileKeyRules, LinkThatLeadsNowhereIsNotAnAbsentFile) {
  write("alice.pub", kVectorPublic);
  std::filesystem::create_symlink("nowhere", folder_ / "trust.json");
  TrustStore store;
  EXPECT_THROW(store.add_folder(folder_.path()), core::Error);
}

TEST_F(HostileKeyRules, FileForAllToWrite) {
  const auto file = write("trust.json", with(""));
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  TrustStore store;
  expect_error(Kind::kPermission, "everybody may write", [&] { store.add_folder(folder_.path()); });
}

}  // namespace
}  // namespace imgforge::signing
