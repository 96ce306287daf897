// Key files made to exhaust the machine, to slip a foreign public half in, or to be taken for something else.
#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "core/random.hpp"
#include "signing/keys/key_files.hpp"
#include "support/sanitized.hpp"
#include "unit/signing/signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using imgforge::testing::kSanitized;
using testing::expect_error;
using testing::kVectorPublic;
using testing::kVectorSecret;
using testing::vector_key;

constexpr std::string_view kHead = "untrusted comment: minisign encrypted secret key\n";

std::vector<std::uint8_t> raw_of(std::string_view text) {
  const std::string_view line = text.substr(text.find('\n') + 1);
  return core::from_base64(line.substr(0, line.size() - 1));
}

std::string text_of(const std::vector<std::uint8_t>& raw) {
  return std::string(kHead) + core::to_base64(raw) + "\n";
}

std::string with_u64(std::size_t at, std::uint64_t value) {
  auto raw = raw_of(kVectorSecret);
  for (std::size_t i = 0; i < 8; ++i) raw[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  return text_of(raw);
}

std::string plain_text() {
  return std::string(vector_key().file_text({}).view());
}

/// Parses under a second and without noticeable memory.
void refused(std::string_view text, std::string_view message) {
  const auto begin = std::chrono::steady_clock::now();
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  expect_error(Kind::kSignature, message, [&] { SecretKey::parse(text, "password"); });
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1)) << message;
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 64 << 10) << message;
}

TEST(HostileKeys, CostsAreBounded) {
  constexpr std::size_t operations = 38;
  constexpr std::size_t memory = 46;
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{32767},
                                    (std::uint64_t{1} << 27) + 1, ~std::uint64_t{0}}) {
    refused(with_u64(operations, value), "unsupported secret key file");
  }
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{1} << 31) + 1,
                                    std::uint64_t{1} << 50, ~std::uint64_t{0}}) {
    refused(with_u64(memory, value), "unsupported secret key file");
  }
}

TEST(HostileKeys, WrongPassphraseIsNotUnsupported) {
  expect_error(Kind::kSignature, "wrong passphrase", [] { SecretKey::parse(kVectorSecret, "Password"); });
  expect_error(Kind::kSignature, "wrong passphrase", [] { SecretKey::parse(kVectorSecret, ""); });
  expect_error(Kind::kSignature, "no passphrase was given", [] { SecretKey::parse(kVectorSecret); });
}

TEST(HostileKeys, UnknownAlgorithms) {
  for (const auto& [at, message] : {std::pair<std::size_t, std::string_view>{0, "not an Ed25519 key"},
                                    {1, "not an Ed25519 key"},
                                    {2, "unknown passphrase function"},
                                    {3, "unknown passphrase function"},
                                    {4, "unknown checksum algorithm"},
                                    {5, "unknown checksum algorithm"}}) {
    auto raw = raw_of(kVectorSecret);
    raw[at] = 'x';
    refused(text_of(raw), message);
    expect_error(Kind::kSignature, message, [&] { SecretKey::is_encrypted(text_of(raw)); });
  }
}

TEST(HostileKeys, OtherOutlines) {
  const std::string good(kVectorSecret);
  const std::string line = good.substr(kHead.size());
  auto shorter = raw_of(kVectorSecret);
  shorter.pop_back();
  auto longer = raw_of(kVectorSecret);
  longer.push_back(0);
  std::string padding_bits = good;
  char& last = padding_bits[padding_bits.find('=', kHead.size()) - 1];
  last = static_cast<char>(last + 1);
  for (const std::string& text :
       {std::string(), good + "x", good + "\n", good + line, line, std::string(kHead),
        std::string(kHead) + "\n", text_of(shorter), text_of(longer), padding_bits,
        std::string(kHead) + " " + line, std::string(kHead) + line.substr(0, 100) + "\n" + line.substr(100),
        std::string(1 << 20, 'A'), std::string(kHead) + std::string(211, 'A') + "\xff\n",
        std::string(kVectorPublic), std::string("untrusted comment: ") + std::string(2000, 'x') + "\n" + line,
        good.substr(0, kHead.size() - 1) + "\r\n" + line,
        std::string(kHead) + std::string(212, '\0') + "\n"}) {
    refused(text, "malformed secret key file");
  }
}

TEST(HostileKeys, EveryHiddenBitCounts) {
  // Unencrypted keys of the reference carry no checksum: the public half, derived again, is what protects
  // them.
  const auto raw = raw_of(plain_text());
  for (std::size_t bit = (54 + 8) * 8; bit < (54 + 72) * 8; ++bit) {
    auto mutant = raw;
    mutant[bit / 8] = static_cast<std::uint8_t>(mutant[bit / 8] ^ (1U << (bit % 8)));
    refused(text_of(mutant), "halves do not belong together");
  }
  auto checksum = raw;
  checksum.back() = 1;
  refused(text_of(checksum), "wrong checksum");
}

TEST(HostileKeys, EncryptedMutantsAreRefused) {
  // A byte of each field: key id, seed, public half, checksum, salt.
  for (const std::size_t at : {6U, 37U, 54U, 62U, 94U, 126U, 157U}) {
    auto raw = raw_of(kVectorSecret);
    raw[at] ^= 1;
    expect_error(Kind::kSignature, "wrong passphrase", [&] { SecretKey::parse(text_of(raw), "password"); });
  }
}

TEST(HostileKeys, RandomTextsNeverGetThrough) {
  for (int round = 0; round < 2000; ++round) {
    std::array<std::uint8_t, 300> bytes{};
    core::random_bytes(bytes);
    const std::string noise(bytes.begin(), bytes.begin() + bytes[0] % 200);
    EXPECT_THROW(SecretKey::parse(noise), core::Error);
    EXPECT_THROW(SecretKey::parse(std::string(kHead) + noise), core::Error);
    EXPECT_THROW(PublicKey::parse(noise), core::Error);
    EXPECT_THROW(Signature::parse(noise), core::Error);
  }
}

TEST(HostileKeys, PublicKeyOutlines) {
  const std::string good(kVectorPublic);
  const std::string line = good.substr(good.find('\n') + 1, 56);
  EXPECT_NO_THROW(PublicKey::parse(line));
  EXPECT_NO_THROW(PublicKey::parse(line + "\n"));
  EXPECT_NO_THROW(PublicKey::parse(good.substr(0, good.size() - 1)));
  std::string other_algorithm = line;
  other_algorithm[1] = 'X';
  for (const std::string& text :
       {std::string(), std::string("\n"), good + "x", good + line, line + " ", " " + line, line + "\n\n",
        line.substr(1), line + "A", line.substr(0, 55) + "=", line.substr(0, 55) + "*", other_algorithm,
        "comment\n" + line, good.substr(0, good.find('\n')), std::string(1 << 20, 'A'), line + "\r\n",
        std::string(kVectorSecret), good + std::string(1, '\0')}) {
    expect_error(Kind::kSignature, "malformed public key", [&] { PublicKey::parse(text); });
  }
}

/// While a key is used its secret is only in memory that is locked and left out of core dumps.
TEST(SecretMemory, IsLockedAndWiped) {
  SecretBytes secret(std::string_view("a passphrase that nobody may find in a dump"));
  const auto address = reinterpret_cast<std::uintptr_t>(secret.data());
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool inside = false;
  bool checked = false;
  while (std::getline(maps, line)) {
    if (line.find('-') != std::string::npos && line.find("kB") == std::string::npos && line[0] != 'V') {
      const auto begin = std::stoull(line, nullptr, 16);
      const auto end = std::stoull(line.substr(line.find('-') + 1), nullptr, 16);
      inside = address >= begin && address < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      EXPECT_NE(line.find(" dd"), std::string::npos) << line;
      if (!kSanitized) {
        EXPECT_NE(line.find(" lo"), std::string::npos) << line;
      }
      checked = true;
    }
  }
  EXPECT_TRUE(checked);
  const std::uint8_t* start = secret.data();
  secret.truncate(2);
  EXPECT_EQ(start[2], 0);
  EXPECT_EQ(start[40], 0);
  SecretBytes moved = std::move(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(moved.view(), "a ");
}

}  // namespace
}  // namespace imgforge::signing
