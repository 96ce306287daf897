#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "signing/keys/secret_key.hpp"
#include "signing/keys/ssh_wire.hpp"
#include "signing/primitives/bytes.hpp"
#include "signing/signers/pkcs11_signer.hpp"
#include "signing/signers/signer_file.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using core::Reason;

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  return {Kind::kInternal, "nothing was thrown"};
}

TEST(Pkcs11Uri, NamesAKeyAndNeverAPin) {
  EXPECT_EQ(Pkcs11Uri::parse("pkcs11:token=imgforge;object=release").text(),
            "pkcs11:token=imgforge;object=release");
  EXPECT_EQ(Pkcs11Uri::parse("pkcs11:token=a?pin-source=file:/etc/pin").pin_file(), "/etc/pin");
  EXPECT_EQ(Pkcs11Uri::parse("pkcs11:token=a?pin-source=file:///etc/pin").pin_file(), "/etc/pin");
  EXPECT_TRUE(Pkcs11Uri::parse("pkcs11:id=%01").pin_file().empty());
  for (const char* text :
       {"", "pkcs11", "PIN", "http://a", "pkcs11:token=%zz", "pkcs11:token", "pkcs11:unheard=of",
        "pkcs11:token=a?pin-value=1", "pkcs11:token=a?pin-source=%7Ccat", "pkcs11:token=a?pin-source=pin"})
    EXPECT_EQ(error_of([&] { Pkcs11Uri::parse(text); }).kind(), Kind::kUsage) << text;
  EXPECT_EQ(error_of([&] { Pkcs11Uri::parse("pkcs11:token=" + std::string(3000, 'a')); }).kind(),
            Kind::kUsage);
}

TEST(SignerFile, IsReadAsItIsWritten) {
  const SignerFile token{SignerFile::Kind::kPkcs11, {}, "pkcs11:token=a;object=b"};
  EXPECT_EQ(SignerFile::parse(token.text()).uri, token.uri);
  EXPECT_EQ(SignerFile::parse(token.text()).kind, SignerFile::Kind::kPkcs11);
  for (const char* text :
       {R"({"imgforge_signer": 1, "pkcs11": ""})", R"({"imgforge_signer": 1, "pkcs11": 1})",
        R"({"imgforge_signer": 1, "pkcs11": "pkcs11:token=a?pin-value=1"})",
        R"({"imgforge_signer": 1, "pkcs11": "pkcs11:token=a", "agent": true})"})
    EXPECT_EQ(error_of([&] { SignerFile::parse(text); }).reason(), Reason::kMalformed) << text;
}

TEST(P256, PointsGoBothWays) {
  const P256PublicKey key = P256Key::generate().public_key();
  const std::vector<std::uint8_t> point = key.point();
  EXPECT_EQ(P256PublicKey::from_point(point).pem(), key.pem());
  const std::string blob = ssh_p256_blob(text_of(point));
  EXPECT_EQ(parse_ssh_p256_key("ecdsa-sha2-nistp256 " + core::to_base64(bytes_of(blob)) + " me\n"),
            text_of(point));
  std::vector<std::uint8_t> changed = point;
  changed.back() ^= 1;
  const std::vector<std::uint8_t> cut(point.begin(), point.end() - 1);
  for (const auto& bad : {changed, cut, std::vector<std::uint8_t>(point.size()), std::vector<std::uint8_t>{}})
    EXPECT_EQ(error_of([&] { P256PublicKey::from_point(bad); }).reason(), Reason::kMalformed);
}

TEST(P256, NumbersBecomeDer) {
  using Bytes = std::vector<std::uint8_t>;
  EXPECT_EQ(ecdsa_der(Bytes{1}, Bytes{0x80}), (Bytes{0x30, 7, 2, 1, 1, 2, 2, 0, 0x80}));
  EXPECT_EQ(ecdsa_der(Bytes{0, 0, 5}, Bytes{}), (Bytes{0x30, 6, 2, 1, 5, 2, 1, 0}));
  EXPECT_EQ(error_of([] { ecdsa_der(Bytes(33, 1), Bytes{1}); }).reason(), Reason::kMalformed);
}

/// Gives these answers, one after the other, and keeps what was asked.
class Answers : public core::ProcessRunner {
 public:
  explicit Answers(std::vector<core::ProcessResult> answers) : answers_(std::move(answers)) {}
  core::ProcessResult run(const core::Command& command, const core::CancelToken&) override {
    asked.push_back(command);
    if (answers_.empty()) throw core::Error(Kind::kTimeout, "it did not end");
    core::ProcessResult next = answers_.front();
    answers_.erase(answers_.begin());
    return next;
  }
  std::vector<core::Command> asked;

 private:
  std::vector<core::ProcessResult> answers_;
};

core::ProcessResult said(const std::string& text) {
  return {0, text, ""};
}

core::Error refusal(std::vector<core::ProcessResult> answers) {
  Answers runner(std::move(answers));
  return error_of([&] {
    pkcs11_public_key(Pkcs11Uri::parse("pkcs11:token=a"), {runner, {}, [] { return no_passphrase(); }});
  });
}

TEST(Pkcs11Signer, BelievesNoAnswer) {
  const std::string good = ssh_field("ok") + ssh_field("\x04\x20" + std::string(32, 'k'));
  for (const std::string& text :
       {std::string(), std::string("garbage"), std::string(100, '\xff'), good + "x",
        good.substr(0, good.size() - 1), ssh_field("ok"), ssh_field("ok") + ssh_field("short")})
    EXPECT_EQ(refusal({said(text)}).reason(), Reason::kMalformed) << core::to_hex(bytes_of(text));
  EXPECT_EQ(refusal({said(ssh_field("ok") + ssh_field(""))}).kind(), Kind::kSignature);
  EXPECT_EQ(refusal({{139, good, ""}}).kind(), Kind::kSignature);
  EXPECT_EQ(refusal({}).kind(), Kind::kTimeout);
  const core::Error told = refusal({said(ssh_field("error") + ssh_field("\033[2Jno"))});
  EXPECT_EQ(told.kind(), Kind::kSignature);
  EXPECT_EQ(told.message().find('\033'), std::string::npos);
}

TEST(Pkcs11Signer, AsksForThePinOnceAndPutsItOnNoCommandLine) {
  Answers runner({said(ssh_field("ok") + ssh_field("a") + ssh_field("yes")),
                  said(ssh_field("ok") + ssh_field("")),
                  said(ssh_field("ok") + ssh_field(std::string(64, 's'))),
                  said(ssh_field("ok") + ssh_field(std::string(63, 's')))});
  int asked = 0;
  class Pin : public PassphraseSource {
   public:
    std::optional<SecretBytes> ask(PassphraseUse, std::string_view) override { return SecretBytes("secret"); }
  };
  const auto signer = pkcs11_signer(Pkcs11Uri::parse("pkcs11:token=a"), SecretKey::generate().public_key(),
                                    {runner, {}, [&] {
                                       ++asked;
                                       return std::make_unique<Pin>();
                                     }});
  EXPECT_EQ(signer->sign_raw(bytes_of("m"))[0], 's');
  EXPECT_EQ(error_of([&] { signer->sign_raw(bytes_of("m")); }).reason(), Reason::kMalformed);
  EXPECT_EQ(asked, 1);
  for (const core::Command& command : runner.asked) {
    EXPECT_EQ(command.args, std::vector<std::string>{std::string(kPkcs11Child)});
    EXPECT_EQ(command.timeout, std::chrono::minutes(2));
    EXPECT_TRUE(std::none_of(command.environment.begin(), command.environment.end(),
                             [](const auto& entry) { return entry.second == "secret"; }));
  }
}

}  // namespace
}  // namespace imgforge::signing
