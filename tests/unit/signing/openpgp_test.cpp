#include "signing/formats/openpgp.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "core/error.hpp"
#include "signing/formats/openpgp_armor.hpp"

namespace imgforge::signing {
namespace {

using core::Reason;

const std::string kFingerprint(40, 'A');
const std::string kNew = "[GNUPG:] NEWSIG a@x\n";
const std::string kGood = "[GNUPG:] GOODSIG 817D582B269833AB a@x\n";

std::string valid(const std::string& hash = "8", const std::string& kind = "00") {
  return "[GNUPG:] VALIDSIG " + std::string(40, 'B') + " 2026-11-29 1795941651 0 4 0 22 " + hash + " " +
         kind + " " + kFingerprint + "\n";
}

Reason reason_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error.reason();
  }
  return Reason::kNone;
}

Reason verdict(const std::string& status) {
  return reason_of([&] { openpgp_verdict(status); });
}

TEST(OpenPgpVerdict, IsThePrimaryFingerprint) {
  EXPECT_EQ(openpgp_verdict(kNew + "[GNUPG:] KEY_CONSIDERED x 0\n" + kGood + valid()), kFingerprint);
  EXPECT_EQ(openpgp_verdict(kNew + kGood + valid("10")), kFingerprint);
}

TEST(OpenPgpVerdict, SaysWhyNot) {
  EXPECT_EQ(verdict(""), Reason::kMalformed);
  EXPECT_EQ(verdict("[GNUPG:] NODATA 4\n"), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + kGood), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + valid()), Reason::kMalformed);
  EXPECT_EQ(verdict(kGood + valid()), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + kGood + valid() + kNew + kGood + valid()), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + kGood + kGood + valid()), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + kGood + valid() + "[GNUPG:] FAILURE gpgv 1\n"), Reason::kMalformed);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] BADSIG 817D582B269833AB a@x\n"), Reason::kBadSignature);
  EXPECT_EQ(verdict(kNew + kGood + valid() + "[GNUPG:] BADSIG 817D582B269833AB a@x\n"),
            Reason::kBadSignature);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] ERRSIG 817D582B269833AB 22 8 00 1 9 -\n[GNUPG:] NO_PUBKEY 8\n"),
            Reason::kUnknownKey);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] ERRSIG 817D582B269833AB 22 2 00 1 5 -\n"), Reason::kBadSignature);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] ERRSIG 817D\n"), Reason::kBadSignature);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] EXPKEYSIG 817D a@x\n" + valid()), Reason::kExpired);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] EXPSIG 817D a@x\n" + valid()), Reason::kExpired);
  EXPECT_EQ(verdict(kNew + "[GNUPG:] REVKEYSIG 817D a@x\n" + valid()), Reason::kRevokedKey);
  EXPECT_EQ(verdict(kNew + kGood + "[GNUPG:] REVKEYSIG 817D a@x\n" + valid()), Reason::kRevokedKey);
}

TEST(OpenPgpVerdict, RefusesWeakDigestsAndTextSignatures) {
  for (const char* hash : {"1", "2", "3", "0", "99", ""})
    EXPECT_EQ(verdict(kNew + kGood + valid(hash)), Reason::kBadSignature) << hash;
  EXPECT_EQ(verdict(kNew + kGood + valid("8", "01")), Reason::kMalformed);
}

TEST(OpenPgpVerdict, TakesNoWordFromAUserId) {
  EXPECT_EQ(verdict(kNew + "[GNUPG:] BADSIG 817D [GNUPG:] VALIDSIG\n"), Reason::kBadSignature);
  EXPECT_EQ(verdict("gpgv: " + kNew + "x" + kGood + "x" + valid()), Reason::kMalformed);
}

constexpr const char* kArmoured =
    "-----BEGIN PGP SIGNATURE-----\n\n"
    "iHoEABYIACIWIQS8j1fp1S4uBc+smpGBfVgrJpgzqwUCawvlEwQcYUB4AAoJEIF9\n"
    "WCsmmDOrOKgA+wRWyIMY3hoS/h9JApCD6p+a8gZ3Ut8J0Feh1QTk1ptWAQDyHB9r\n"
    "sqsuY4IcH++eQSv8IpJzZguEHprpqe79IwAuCQ==\n"
    "=a8cl\n"
    "-----END PGP SIGNATURE-----\n";

TEST(OpenPgpArmor, IsOneBlockWithItsChecksum) {
  const std::string bytes = openpgp_unarmoured(kArmoured, "SIGNATURE");
  const std::vector<OpenPgpPacket> packets = openpgp_packets(bytes);
  ASSERT_EQ(packets.size(), 1U);
  EXPECT_EQ(packets[0].tag, kOpenPgpSignatureTag);
  EXPECT_EQ(packets[0].body.size() + 2, bytes.size());
  const std::string text(kArmoured);
  const auto refused = [&](const std::string& changed, const char* block = "SIGNATURE") {
    return reason_of([&] { openpgp_unarmoured(changed, block); }) == Reason::kMalformed;
  };
  EXPECT_TRUE(refused(text, "PUBLIC KEY BLOCK"));
  EXPECT_TRUE(refused(text + text));
  EXPECT_TRUE(refused("before\n" + text));
  EXPECT_TRUE(refused(text + "behind\n"));
  EXPECT_TRUE(refused("-----BEGIN PGP SIGNATURE-----\n-----END PGP SIGNATURE-----\n"));
  EXPECT_TRUE(refused(std::string(text).replace(text.find("=a8cl"), 5, "=a8cm")));
  EXPECT_TRUE(refused(std::string(text).replace(text.find("iHoE"), 4, "iHoF")));
  EXPECT_TRUE(refused(std::string(text).replace(text.find("iHoE"), 4, "iH\fE")));
  EXPECT_FALSE(refused(std::string(text).insert(text.find("\n\n") + 1, "Comment: anything\n")));
}

TEST(OpenPgpPackets, EndWhereTheySay) {
  const auto refused = [](std::string_view bytes) {
    return reason_of([&] { openpgp_packets(bytes); }) == Reason::kMalformed;
  };
  using namespace std::string_view_literals;
  EXPECT_EQ(openpgp_packets("\xc2\x01x\x88\x00"sv).size(), 2U);
  EXPECT_TRUE(refused("\x02\x01x"sv));
  EXPECT_TRUE(refused("\xc2\x02x"sv));
  EXPECT_TRUE(refused("\xc2\xe0x"sv));
  EXPECT_TRUE(refused("\x8bx"sv));
  EXPECT_TRUE(refused("\xc2\xff\xff\xff\xff\xffx"sv));
  EXPECT_TRUE(refused("\xc2"sv));
}

TEST(OpenPgpKeyrings, HoldPublicKeysAndNothingSecret) {
  using namespace std::string_view_literals;
  const auto refused = [](std::string_view bytes) {
    return reason_of([&] { OpenPgpKeyring::parse(bytes); }) == Reason::kMalformed;
  };
  EXPECT_EQ(OpenPgpKeyring::parse("\xc6\x02\x04x"sv).fingerprints.size(), 1U);
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("\xc6\x02\x03x"sv));
  EXPECT_TRUE(refused("\xc6\x02\x04x\xc7\x02\x04x"sv));
  EXPECT_TRUE(refused("\xc5\x02\x04x"sv));
  EXPECT_TRUE(refused("\xcd\x01x\xc6\x02\x04x"sv));
  EXPECT_TRUE(refused("\x00\x00\x00\x20KBXf"sv));
}

}  // namespace
}  // namespace imgforge::signing
