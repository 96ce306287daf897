#include "signing/formats/dsse.hpp"

#include <gmock/gmock.h>

#include "core/json.hpp"
#include "unit/signing/signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;
using core::Reason;
using ::testing::SizeIs;

constexpr const char* kType = "application/vnd.in-toto+json";

Signer signer_of(const SecretKey& key) {
  return {std::make_shared<const SecretKey>(SecretKey::parse(key.file_text({}).view())), core::UnixTime{}};
}

/// Why `body` is refused.
template <class Body>
Reason reason_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kSignature) << error.message();
    return error.reason();
  }
  return Reason::kNone;
}

class Dsse : public ::testing::Test {
 protected:
  std::vector<PublicKey> verify(const DsseEnvelope& envelope, std::vector<PublicKey> trusted) const {
    return dsse_verify(DsseEnvelope::parse(envelope.text()), kType, trusted);
  }

  SecretKey key_ = SecretKey::generate();
  SecretKey other_ = SecretKey::generate();
  DsseEnvelope envelope_ = dsse_sign(signer_of(key_), kType, "{\"a\":1}");
};

/// The example of the protocol's text.
TEST(DsseMessage, HasLengthsAndBytes) {
  EXPECT_EQ(dsse_message("http://example.com/HelloWorld", "hello world"),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

TEST_F(Dsse, IsReadAndVerified) {
  const DsseEnvelope read = DsseEnvelope::parse(envelope_.text());
  EXPECT_EQ(read.payload, "{\"a\":1}");
  EXPECT_EQ(read.payload_type, kType);
  EXPECT_THAT(verify(envelope_, {key_.public_key()}), SizeIs(1));
  EXPECT_EQ(envelope_.text(), dsse_sign(signer_of(key_), kType, "{\"a\":1}").text());
}

TEST_F(Dsse, AnotherPayloadTypeIsRefused) {
  EXPECT_EQ(reason_of([&] { dsse_verify(envelope_, "text/plain", std::vector{key_.public_key()}); }),
            Reason::kWrongSubject);
  // Relabelled: the type is signed too.
  envelope_.payload_type = "text/plain";
  EXPECT_EQ(reason_of([&] { dsse_verify(envelope_, "text/plain", std::vector{key_.public_key()}); }),
            Reason::kBadSignature);
}

TEST_F(Dsse, TwoSignaturesOfOneKeyCountOnce) {
  envelope_.signatures.push_back(envelope_.signatures.front());
  envelope_.signatures.back().key_id = other_.public_key().id();
  EXPECT_THAT(verify(envelope_, {key_.public_key()}), SizeIs(1));
  // The same key under another id.
  KeyId id{};
  id.fill(7);
  EXPECT_THAT(verify(envelope_, {key_.public_key(), PublicKey(id, key_.public_key().point())}), SizeIs(1));
}

TEST_F(Dsse, TwoKeysCountTwice) {
  envelope_.signatures.push_back(dsse_sign(signer_of(other_), kType, "{\"a\":1}").signatures.front());
  EXPECT_THAT(verify(envelope_, {key_.public_key(), other_.public_key()}), SizeIs(2));
  EXPECT_THAT(verify(envelope_, {other_.public_key()}), SizeIs(1));
}

TEST_F(Dsse, UnknownAndChangedAreToldApart) {
  EXPECT_EQ(reason_of([&] { verify(envelope_, {other_.public_key()}); }), Reason::kUnknownKey);
  EXPECT_EQ(reason_of([&] { verify(envelope_, {}); }), Reason::kUnknownKey);
  envelope_.payload += " ";
  EXPECT_EQ(reason_of([&] { verify(envelope_, {key_.public_key()}); }), Reason::kBadSignature);
}

TEST_F(Dsse, AKeyThatSharesAnIdDoesNotSpoilTheOther) {
  const PublicKey same_id(key_.public_key().raw_id(), other_.public_key().point());
  EXPECT_THAT(verify(envelope_, {same_id, key_.public_key()}), SizeIs(1));
  EXPECT_EQ(reason_of([&] { verify(envelope_, {same_id}); }), Reason::kBadSignature);
}

TEST_F(Dsse, EveryChangedByteIsRefused) {
  const std::string text = envelope_.text();
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    for (const char flip : {char(1), char(0x20)}) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      try {
        const DsseEnvelope read = DsseEnvelope::parse(changed);
        const auto keys = dsse_verify(read, kType, std::vector{key_.public_key()});
        // Only the key id, a hint, is covered by nothing.
        EXPECT_EQ(read.payload, envelope_.payload) << i;
        EXPECT_EQ(read.signatures.front().signature, envelope_.signatures.front().signature) << i;
        EXPECT_NE(read.signatures.front().key_id, envelope_.signatures.front().key_id) << i;
      } catch (const Error& error) {
        EXPECT_NE(error.reason(), Reason::kNone) << i;
      }
    }
  }
}

TEST_F(Dsse, OtherFormsAreMalformed) {
  const auto edit = [&](auto change) {
    core::Json json = core::Json::parse(envelope_.text());
    change(json);
    return json.dump();
  };
  const std::string payload = core::Json::parse(envelope_.text())["payload"];
  std::vector<std::string> texts{"",
                                 "{}",
                                 "[]",
                                 "null",
                                 "{\"payload\":1}",
                                 edit([](core::Json& json) { json["more"] = 1; }),
                                 edit([](core::Json& json) { json["signatures"] = core::Json::array(); }),
                                 edit([](core::Json& json) { json["signatures"][0].erase("sig"); }),
                                 edit([](core::Json& json) { json["signatures"][0]["cert"] = "x"; }),
                                 edit([&](core::Json& json) { json["payload"] = payload + "="; }),
                                 edit([&](core::Json& json) { json["payload"] = payload + "\n"; }),
                                 edit([](core::Json& json) { json["payload"] = "e30"; }),
                                 edit([](core::Json& json) { json["payload"] = "eyJhIjoxfR=="; }),
                                 envelope_.text() + envelope_.text()};
  std::string twice = envelope_.text();
  twice.insert(1, "\"payload\":\"e30=\",");
  texts.push_back(twice);
  core::Json many = core::Json::parse(envelope_.text());
  for (int i = 0; i < 40; ++i) many["signatures"].push_back(many["signatures"][0]);
  texts.push_back(many.dump());
  for (const std::string& text : texts)
    EXPECT_EQ(reason_of([&] { DsseEnvelope::parse(text); }), Reason::kMalformed) << text.substr(0, 200);
}

}  // namespace
}  // namespace imgforge::signing
