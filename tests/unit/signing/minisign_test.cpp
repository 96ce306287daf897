// The published vector byte for byte, and both directions against the stock minisign binary.
#include "signing/minisign/minisign.hpp"

#include <utility>

#include "core/fd.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using testing::kVectorComment;
using testing::kVectorPublic;
using testing::kVectorSecret;
using testing::kVectorSignature;
using testing::vector_key;

TEST(MinisignVector, PublicKey) {
  const PublicKey key = PublicKey::parse(kVectorPublic);
  EXPECT_EQ(key.id(), "0807060504030201");
  EXPECT_EQ(key.line(), "RWQBAgMEBQYHCAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
  EXPECT_EQ(key.untrusted_comment(), "minisign public key 0807060504030201");
  EXPECT_EQ(key.file_text(), kVectorPublic);
  EXPECT_EQ(key, PublicKey::parse(key.line()));
  EXPECT_EQ(key, vector_key().public_key());
}

TEST(MinisignVector, SecretKey) {
  EXPECT_TRUE(SecretKey::is_encrypted(kVectorSecret));
  const SecretKey key = SecretKey::parse(kVectorSecret, "password");
  EXPECT_EQ(key.public_key(), vector_key().public_key());
  std::array<std::uint8_t, 32> salt{};
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::uint8_t>(0xa0 + i);
  EXPECT_EQ(key.file_text_with_salt("password", testing::kCheap, salt).view(), kVectorSecret);
}

TEST(MinisignVector, Signature) {
  EXPECT_EQ(sign(vector_key(), "test", kVectorComment), kVectorSignature);
  const std::array keys = {PublicKey::parse(kVectorPublic)};
  const VerifiedSignature result = verify(keys, "test", kVectorSignature);
  EXPECT_EQ(result.key.id(), "0807060504030201");
  EXPECT_EQ(result.trusted_comment, kVectorComment);
}

TEST(MinisignVector, ScryptParameters) {
  const ScryptParameters sensitive = scrypt_parameters(KdfLimits{});
  EXPECT_EQ(sensitive.n, 1U << 20);
  EXPECT_EQ(sensitive.p, 1U);
  const ScryptParameters cheap = scrypt_parameters(testing::kCheap);
  EXPECT_EQ(cheap.n, 1U << 14);
  EXPECT_EQ(cheap.p, 1U);
}

TEST(SecretKeyText, PlainAndEncryptedRoundTrip) {
  const SecretKey key = SecretKey::generate();
  const SecretBytes plain = key.file_text({});
  EXPECT_FALSE(SecretKey::is_encrypted(plain.view()));
  EXPECT_EQ(SecretKey::parse(plain.view()).public_key(), key.public_key());
  const SecretBytes hidden = key.file_text("correct horse", testing::kCheap);
  EXPECT_TRUE(SecretKey::is_encrypted(hidden.view()));
  EXPECT_EQ(SecretKey::parse(hidden.view(), "correct horse").public_key(), key.public_key());
  EXPECT_NE(hidden.view(), key.file_text("correct horse", testing::kCheap).view()) << "the salt is not fresh";
}

TEST(SecretKeyText, GeneratedKeysDiffer) {
  EXPECT_FALSE(SecretKey::generate().public_key().same_key(SecretKey::generate().public_key()));
}

TEST(Sign, TrustedCommentIsOneLine) {
  for (const std::string& bad :
       {std::string("a\nb"), std::string("a\rb"), std::string("a\0b", 3), std::string("\xff"),
        std::string("\x1b[2J"), std::string(kMaxTrustedComment + 1, 'x')}) {
    testing::expect_error(core::Kind::kUsage, "trusted comment", [&] { sign(vector_key(), "test", bad); });
  }
}

TEST(Sign, OtherDigestIsAFault) {
  const core::Digest sha512 = core::digest_of(core::HashAlgorithm::kSha512, "test");
  testing::expect_error(core::Kind::kInternal, "BLAKE2b-512", [&] { sign(vector_key(), sha512, "x"); });
  const std::array keys = {vector_key().public_key()};
  testing::expect_error(core::Kind::kInternal, "BLAKE2b-512",
                        [&] { verify(keys, sha512, kVectorSignature); });
}

class Minisign : public testing::Scratch {
 protected:
  void SetUp() override {
    if (core::find_program("minisign").empty()) GTEST_SKIP() << "the minisign program is not installed";
  }
};

TEST_F(Minisign, AcceptsWhatImgforgeSigns) {
  const SecretKey key = SecretKey::generate();
  const std::string data(300000, '\x5a');
  const auto file = write("manifest.json", data);
  write("key.pub", key.public_key().file_text());
  for (const std::string& comment :
       {usual_trusted_comment(core::UnixTime(std::chrono::seconds(1700000000)), "manifest.json"),
        std::string(), std::string("\xc3\xa4 tab\tend"), std::string(kMaxTrustedComment, 'x')}) {
    const core::Digest digest = core::digest_of_file(core::HashAlgorithm::kBlake2b512, file);
    write("manifest.json.minisig", sign(key, digest, comment));
    const auto by_file = run("minisign", {"-V", "-p", "key.pub", "-m", "manifest.json"});
    EXPECT_EQ(by_file.exit_code, 0) << by_file.err << comment.size();
    const auto by_line = run("minisign", {"-V", "-Q", "-P", key.public_key().line(), "-m", "manifest.json"});
    EXPECT_EQ(by_line.exit_code, 0) << by_line.err;
    EXPECT_EQ(by_line.out, comment + "\n");
  }
  write("manifest.json", data + "x");
  EXPECT_NE(run("minisign", {"-V", "-p", "key.pub", "-m", "manifest.json"}).exit_code, 0);
}

TEST_F(Minisign, UsesKeysThatImgforgeWrites) {
  const SecretKey key = SecretKey::generate();
  write("plain.key", key.file_text({}).view(), 0600);
  write("hidden.key", key.file_text("pass word", testing::kCheap).view(), 0600);
  write("m", "message");
  const std::array keys = {key.public_key()};
  for (const auto& [name, input] : {std::pair("plain.key", ""), std::pair("hidden.key", "pass word\n")}) {
    const auto signed_by_tool = run("minisign", {"-S", "-s", name, "-m", "m", "-t", "tool"}, input);
    ASSERT_EQ(signed_by_tool.exit_code, 0) << signed_by_tool.err;
    const auto verified = verify(keys, "message", read_signature_file(folder_ / "m.minisig"));
    EXPECT_EQ(verified.trusted_comment, "tool");
  }
}

TEST_F(Minisign, PlainKeyOfTheToolSignsAndVerifies) {
  const auto made = run("minisign", {"-G", "-W", "-p", "t.pub", "-s", "t.key"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const PublicKey pub = PublicKey::parse(core::read_text_file(folder_ / "t.pub"));
  // minisign 0.11 leaves out leading zeros of the id in the comment.
  const std::string id = pub.id();
  EXPECT_NE(pub.untrusted_comment().find(id.substr(id.find_first_not_of('0'))), std::string::npos);
  const SecretKey key = SecretKey::parse(core::read_text_file(folder_ / "t.key"));
  EXPECT_EQ(key.public_key(), pub);
  write("m", "message");
  ASSERT_EQ(run("minisign", {"-S", "-s", "t.key", "-m", "m"}).exit_code, 0);
  const std::array keys = {pub};
  const std::string text = read_signature_file(folder_ / "m.minisig");
  EXPECT_NE(verify(keys, "message", text).trusted_comment.find("file:m"), std::string::npos);
  // Ed25519 is deterministic: the same message under the same comment gives the same signature lines.
  const std::string ours = sign(key, "message", Signature::parse(text).trusted_comment);
  EXPECT_EQ(ours.substr(ours.find('\n')), text.substr(text.find('\n')));
}

TEST_F(Minisign, EncryptedKeyOfTheTool) {
  const auto made = run("minisign", {"-G", "-p", "e.pub", "-s", "e.key"}, "secret\nsecret\n");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const std::string text = core::read_text_file(folder_ / "e.key");
  EXPECT_TRUE(SecretKey::is_encrypted(text));
  EXPECT_EQ(SecretKey::parse(text, "secret").public_key(),
            PublicKey::parse(core::read_text_file(folder_ / "e.pub")));
}

TEST_F(Minisign, LegacySignatureIsRefused) {
  ASSERT_EQ(run("minisign", {"-G", "-W", "-p", "t.pub", "-s", "t.key"}).exit_code, 0);
  write("m", "message");
  ASSERT_EQ(run("minisign", {"-S", "-l", "-s", "t.key", "-m", "m"}).exit_code, 0);
  ASSERT_EQ(run("minisign", {"-V", "-p", "t.pub", "-m", "m"}).exit_code, 0);
  const std::array keys = {PublicKey::parse(core::read_text_file(folder_ / "t.pub"))};
  testing::expect_error(core::Kind::kSignature, "legacy",
                        [&] { verify(keys, "message", read_signature_file(folder_ / "m.minisig")); });
}

}  // namespace
}  // namespace imgforge::signing
