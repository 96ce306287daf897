// Every way to change a signed message or its signature that somebody could try without the secret key: all
// of them must be refused, and the one line that nobody signs must not matter.
#include <sys/stat.h>

#include <array>
#include <chrono>

#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/trust/trust.hpp"
#include "unit/signing/signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using testing::expect_error;
using testing::kVectorComment;
using testing::kVectorSignature;
using testing::vector_key;

std::vector<PublicKey> trusted() {
  return {vector_key().public_key()};
}

std::string refused(std::string_view text, std::string_view message = "test") {
  return expect_error(Kind::kSignature, "", [&] { verify(trusted(), message, text); }).message();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines = core::split(text, '\n');
  lines.resize(4);
  return lines;
}

std::string text_of(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(SignatureMutants, EveryBitOfEveryDecodedField) {
  for (const std::size_t line : {1U, 3U}) {
    const auto lines = lines_of(kVectorSignature);
    const auto raw = core::from_base64(lines[line]);
    for (std::size_t bit = 0; bit < raw.size() * 8; ++bit) {
      auto mutant = raw;
      mutant[bit / 8] = static_cast<std::uint8_t>(mutant[bit / 8] ^ (1U << (bit % 8)));
      auto changed = lines;
      changed[line] = core::to_base64(mutant);
      refused(text_of(changed));
    }
  }
}

TEST(SignatureMutants, EveryByteOfTheSignedLines) {
  const std::string text(kVectorSignature);
  for (std::size_t i = text.find('\n') + 1; i < text.size(); ++i) {
    for (const int flip : {1, 0x20, 0x80}) {
      std::string mutant = text;
      mutant[i] = static_cast<char>(mutant[i] ^ flip);
      refused(mutant);
    }
  }
}

TEST(SignatureMutants, EveryCutAndEveryDoubledByte) {
  const std::string text(kVectorSignature);
  for (std::size_t i = 0; i < text.size(); ++i) refused(text.substr(0, i));
  for (std::size_t i = text.find('\n') + 1; i < text.size(); ++i) {
    std::string mutant = text;
    mutant.insert(i, 1, text[i]);
    refused(mutant);
  }
}

TEST(SignatureMutants, EveryBitOfTheMessage) {
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::string message = "test";
    message[bit / 8] = static_cast<char>(message[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(refused(kVectorSignature, message).find("bad signature"), std::string::npos);
  }
  for (const std::string_view message : {"", "tes", "test\n", "testtest"}) refused(kVectorSignature, message);
}

TEST(SignatureMutants, UntrustedCommentDoesNotMatter) {
  auto lines = lines_of(kVectorSignature);
  for (const std::string& comment :
       {std::string(), std::string("verified by root \x1b[32m"), std::string(1000, 'x')}) {
    lines[0] = "untrusted comment: " + comment;
    const VerifiedSignature result = verify(trusted(), "test", text_of(lines));
    EXPECT_EQ(result.trusted_comment, kVectorComment);
  }
}

TEST(SignatureMutants, TrustedCommentOfAnotherSignature) {
  const auto first = lines_of(sign(vector_key(), "test", "version 1"));
  auto second = lines_of(sign(vector_key(), "other", "version 2"));
  refused(text_of({first[0], first[1], second[2], second[3]}));
  refused(text_of({first[0], first[1], second[2], first[3]}));
  refused(text_of({first[0], second[1], second[2], second[3]}));
}

TEST(SignatureMutants, SignatureOfAnotherVersionDoesNotFit) {
  const std::string old = sign(vector_key(), R"({"version":"1.0.0"})", "x");
  EXPECT_NE(refused(old, R"({"version":"1.0.1"})").find("bad signature"), std::string::npos);
}

TEST(SignatureMutants, OtherKeys) {
  const PublicKey good = vector_key().public_key();
  const PublicKey stranger = SecretKey::generate().public_key();
  const PublicKey same_id(good.raw_id(), stranger.point());
  const PublicKey same_point({8, 7, 6, 5, 4, 3, 2, 1}, good.point());
  expect_error(Kind::kSignature, "no signature by a trusted key",
               [&] { verify(std::array{stranger}, "test", kVectorSignature); });
  expect_error(Kind::kSignature, "bad signature",
               [&] { verify(std::array{same_id}, "test", kVectorSignature); });
  expect_error(Kind::kSignature, "no signature by a trusted key",
               [&] { verify(std::array{same_point}, "test", kVectorSignature); });
  EXPECT_EQ(verify(std::array{same_id, stranger, good}, "test", kVectorSignature).key, good);
  expect_error(Kind::kSignature, "no public key is trusted", [&] { verify({}, "test", kVectorSignature); });
}

TEST(SignatureMutants, MalformedTexts) {
  const std::string good(kVectorSignature);
  std::string crlf;
  for (const char c : good) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  struct Row {
    std::string text;
    std::string_view message;
  };
  auto long_untrusted = lines_of(good);
  long_untrusted[0] = "untrusted comment: " + std::string(1010, 'x');
  auto long_trusted = lines_of(good);
  long_trusted[2] = "trusted comment: " + std::string(kMaxTrustedComment + 1, 'x');
  for (const Row& row :
       {Row{"", "is empty"}, Row{crlf, "Windows"}, Row{good + "\n", "after its fourth line"},
        Row{good + "x", "after its fourth line"}, Row{good + good, "after its fourth line"},
        Row{good.substr(0, good.size() - 1), "fewer than four"}, Row{"\n" + good, "after its fourth"},
        Row{" " + good, "untrusted comment"}, Row{"\xef\xbb\xbf" + good, "untrusted comment"},
        Row{good + std::string(1, '\0'), "binary"}, Row{std::string(10 << 20, 'x'), "too long"},
        Row{std::string(4096, '\n'), "after its fourth"}, Row{text_of(long_untrusted), "too long"},
        Row{text_of(long_trusted), "too long"}}) {
    EXPECT_NE(refused(row.text).find(row.message), std::string::npos) << row.message;
  }
}

TEST(SignatureMutants, Base64HasOneSpelling) {
  auto lines = lines_of(kVectorSignature);
  for (const std::size_t line : {1U, 3U}) {
    const std::string good = lines[line];
    // Padding bits that are not zero, missing or extra padding, blanks, the URL alphabet.
    std::string bits = good;
    char& last = bits[bits.find('=') - 1];
    last = static_cast<char>(last + 1);
    std::string url = good;
    for (char& c : url) c = c == '/' ? '_' : c == '+' ? '-' : c;
    for (const std::string& other : {bits, good.substr(0, good.size() - 1), good + "====", " " + good,
                                     good + " ", std::string(), good + good, url == good ? " " + url : url}) {
      lines[line] = other;
      refused(text_of(lines));
    }
    lines[line] = good;
  }
}

/// S + L instead of S: the same equation holds, and only a range check tells the copy from the original.
TEST(SignatureMutants, MalleatedSignature) {
  constexpr std::array<std::uint8_t, 32> order = {
      0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  Signature signature = Signature::parse(kVectorSignature);
  const auto add_order = [&](Ed25519Signature& value) {
    unsigned carry = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      carry += static_cast<unsigned>(value[32 + i]) + order[i];
      value[32 + i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
  };
  add_order(signature.over_comment);
  EXPECT_NE(refused(signature.text()).find("bad signature"), std::string::npos);
}

TEST(WeakKeys, SmallOrderAndNonCanonicalPointsAreRefused) {
  const auto point = [](std::string_view hex) {
    const auto bytes = core::Digest::from_hex(core::HashAlgorithm::kSha256, hex).bytes();
    Ed25519Public out{};
    std::copy_n(bytes.begin(), out.size(), out.begin());
    return out;
  };
  const std::string ff(60, 'f');
  std::vector<Ed25519Public> bad = {point(std::string(64, '0')),
                                    point("01" + std::string(62, '0')),
                                    point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
                                    point("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
                                    point("ec" + ff + "7f"),
                                    point("ed" + ff + "7f"),
                                    point("ee" + ff + "7f"),
                                    point("ff" + ff + "7f")};
  for (std::size_t i = bad.size(); i-- > 0;) {
    bad.push_back(bad[i]);
    bad.back()[31] |= 0x80;
  }
  EXPECT_EQ(bad.size(), 16U);
  for (const Ed25519Public& key : bad) {
    expect_error(Kind::kSignature, "weak public key", [&] { PublicKey(KeyId{}, key); });
    std::vector<std::uint8_t> raw = {'E', 'd', 1, 2, 3, 4, 5, 6, 7, 8};
    raw.insert(raw.end(), key.begin(), key.end());
    expect_error(Kind::kSignature, "weak public key", [&] { PublicKey::parse(core::to_base64(raw)); });
    // With the identity as R and S = 0 OpenSSL alone would take a signature of anything.
    Ed25519Signature forged{};
    forged[0] = 1;
    EXPECT_FALSE(ed25519_verify(key, std::array<std::uint8_t, 1>{7}, forged));
  }
}

using SignatureFiles = testing::Scratch;

TEST_F(SignatureFiles, OddFilesAreRefusedAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  expect_error(Kind::kSignature, "there is no signature", [&] { read_signature_file(folder_ / "missing"); });
  expect_error(Kind::kSignature, "not a regular file", [&] { read_signature_file(folder_.path()); });
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0644), 0);
  expect_error(Kind::kSignature, "not a regular file", [&] { read_signature_file(folder_ / "fifo"); });
  expect_error(Kind::kSignature, "not a regular file", [&] { read_signature_file("/dev/zero"); });
  const auto big = write("big", std::string(10 << 20, 'x'));
  expect_error(Kind::kSignature, "too long", [&] { read_signature_file(big); });
  std::filesystem::create_symlink("loop", folder_ / "loop");
  EXPECT_THROW(read_signature_file(folder_ / "loop"), core::Error);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

}  // namespace
}  // namespace imgforge::signing
