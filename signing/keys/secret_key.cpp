#include "signing/keys/secret_key.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.hpp"
#include "core/random.hpp"
#include "signing/keys/key_text.hpp"
#include "signing/primitives/blake2b.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

// Layout of the 158 bytes: "Ed", KDF, "B2", salt, two costs, and the 104 bytes that the passphrase hides.
constexpr std::size_t kRawLength = 158;
constexpr std::size_t kKdfAt = 2;
constexpr std::size_t kChecksumAlgorithmAt = 4;
constexpr std::size_t kSaltAt = 6;
constexpr std::size_t kSaltLength = 32;
constexpr std::size_t kOperationsAt = 38;
constexpr std::size_t kMemoryAt = 46;
constexpr std::size_t kHiddenAt = 54;
constexpr std::size_t kHiddenLength = 104;
// Within the hidden part: key id, seed, public point, checksum.
constexpr std::size_t kSeedAt = 8;
constexpr std::size_t kPointAt = 40;
constexpr std::size_t kChecksumAt = 72;
constexpr std::size_t kChecksumLength = 32;

constexpr std::string_view kComment = "minisign encrypted secret key";

using Seed = std::span<const std::uint8_t, 32>;

std::uint64_t load_le64(const std::uint8_t* from) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = (value << 8) | from[i];
  return value;
}

void store_le64(std::uint8_t* to, std::uint64_t value) {
  for (std::size_t i = 0; i < 8; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

bool matches(const SecretBytes& raw, std::size_t at, std::string_view two) {
  return raw.view().substr(at, 2) == two;
}

/// BLAKE2b-256 over "Ed", key id, seed and public point.
std::array<std::uint8_t, kChecksumLength> checksum_of(std::span<const std::uint8_t> hidden) {
  SecretBytes input(2 + kChecksumAt);
  std::memcpy(input.data(), "Ed", 2);
  std::memcpy(input.data() + 2, hidden.data(), kChecksumAt);
  return blake2b_256(input.bytes());
}

void apply_stream(std::span<std::uint8_t> hidden, const SecretBytes& stream) {
  for (std::size_t i = 0; i < hidden.size(); ++i) hidden[i] ^= stream.bytes()[i];
}

/// Decodes the outline of a key file and refuses what this code does not implement.
SecretBytes decode(std::string_view text) {
  const KeyText parts = split_key_text(text, "secret key file");
  SecretBytes raw = from_secret_base64(parts.base64, kRawLength);
  if (raw.empty()) throw Error(Kind::kSignature, "malformed secret key file: not the base64 of 158 bytes");
  const auto unsupported = [](std::string_view why) {
    return Error(Kind::kSignature, "unsupported secret key file: " + std::string(why));
  };
  if (!matches(raw, 0, "Ed")) throw unsupported("not an Ed25519 key");
  if (!matches(raw, kChecksumAlgorithmAt, "B2")) throw unsupported("unknown checksum algorithm");
  if (matches(raw, kKdfAt, "Sc")) {
    const KdfLimits limits{load_le64(raw.data() + kOperationsAt), load_le64(raw.data() + kMemoryAt)};
    if (!limits.acceptable()) {
      throw unsupported("its passphrase costs (" + std::to_string(limits.operations) + " operations, " +
                        std::to_string(limits.memory) + " bytes) are out of range");
    }
  } else if (!matches(raw, kKdfAt, std::string_view("\0\0", 2))) {
    throw unsupported("unknown passphrase function");
  }
  return raw;
}

void decrypt(SecretBytes& raw, std::string_view passphrase) {
  const KdfLimits limits{load_le64(raw.data() + kOperationsAt), load_le64(raw.data() + kMemoryAt)};
  const std::span<std::uint8_t> hidden = raw.bytes().subspan(kHiddenAt, kHiddenLength);
  apply_stream(hidden,
               scrypt_stream(passphrase, raw.bytes().subspan(kSaltAt, kSaltLength), limits, kHiddenLength));
  if (!equal_secrets(checksum_of(hidden), hidden.subspan(kChecksumAt))) {
    throw Error(Kind::kSignature, "wrong passphrase for the secret key (or the key file is damaged)");
  }
}

/// The reference writes zeros as the checksum of an unencrypted key and never reads them.
void check_plain(const SecretBytes& raw) {
  const auto hidden = raw.bytes().subspan(kHiddenAt, kHiddenLength);
  const auto checksum = hidden.subspan(kChecksumAt);
  const std::array<std::uint8_t, kChecksumLength> none{};
  if (!equal_secrets(checksum, none) && !equal_secrets(checksum, checksum_of(hidden))) {
    throw Error(Kind::kSignature, "damaged secret key file: wrong checksum");
  }
}

/// The two lines of the key file.
SecretBytes framed(const SecretBytes& raw) {
  const SecretBytes base64 = to_secret_base64(raw.bytes());
  const std::string head = std::string(kUntrustedPrefix) + std::string(kComment) + "\n";
  SecretBytes text(head.size() + base64.size() + 1);
  std::memcpy(text.data(), head.data(), head.size());
  std::memcpy(text.data() + head.size(), base64.view().data(), base64.size());
  text.data()[text.size() - 1] = '\n';
  return text;
}

}  // namespace

SecretKey SecretKey::from_seed(Seed seed, const KeyId& id) {
  SecretBytes copy(seed.size());
  std::memcpy(copy.data(), seed.data(), seed.size());
  return SecretKey(std::move(copy), PublicKey(id, ed25519_public(seed)));
}

SecretKey SecretKey::generate() {
  KeyId id{};
  core::random_bytes(id);
  SecretBytes seed(32);
  core::random_bytes(seed.bytes());
  return from_seed(Seed(seed.data(), 32), id);
}

bool SecretKey::is_encrypted(std::string_view text) {
  return matches(decode(text), kKdfAt, "Sc");
}

SecretKey SecretKey::parse(std::string_view text, std::optional<std::string_view> passphrase) {
  SecretBytes raw = decode(text);
  if (matches(raw, kKdfAt, "Sc")) {
    if (!passphrase) throw Error(Kind::kSignature, "the secret key is encrypted and no passphrase was given");
    decrypt(raw, *passphrase);
  } else {
    check_plain(raw);
  }
  const std::uint8_t* hidden = raw.data() + kHiddenAt;
  KeyId id{};
  std::copy_n(hidden, id.size(), id.begin());
  SecretKey key = from_seed(Seed(hidden + kSeedAt, 32), id);
  if (!std::equal(key.public_key_.point().begin(), key.public_key_.point().end(), hidden + kPointAt)) {
    throw Error(Kind::kSignature,
                "damaged secret key file: its public and secret halves do not belong together");
  }
  return key;
}

SecretBytes SecretKey::plain_raw() const {
  SecretBytes raw(kRawLength);
  std::memcpy(raw.data(), "Ed\0\0B2", 6);
  std::uint8_t* hidden = raw.data() + kHiddenAt;
  std::memcpy(hidden, public_key_.raw_id().data(), public_key_.raw_id().size());
  std::memcpy(hidden + kSeedAt, seed_.bytes().data(), seed_.size());
  std::memcpy(hidden + kPointAt, public_key_.point().data(), public_key_.point().size());
  return raw;
}

SecretBytes SecretKey::file_text(std::optional<std::string_view> passphrase, const KdfLimits& limits) const {
  if (!passphrase) return framed(plain_raw());
  std::array<std::uint8_t, kSaltLength> salt{};
  core::random_bytes(salt);
  return file_text_with_salt(*passphrase, limits, salt);
}

SecretBytes SecretKey::file_text_with_salt(std::string_view passphrase, const KdfLimits& limits,
                                           const std::array<std::uint8_t, kSaltLength>& salt) const {
  SecretBytes raw = plain_raw();
  std::memcpy(raw.data() + kKdfAt, "Sc", 2);
  std::memcpy(raw.data() + kSaltAt, salt.data(), salt.size());
  store_le64(raw.data() + kOperationsAt, limits.operations);
  store_le64(raw.data() + kMemoryAt, limits.memory);
  const std::span<std::uint8_t> hidden = raw.bytes().subspan(kHiddenAt, kHiddenLength);
  const auto checksum = checksum_of(hidden);
  std::memcpy(hidden.data() + kChecksumAt, checksum.data(), checksum.size());
  apply_stream(hidden, scrypt_stream(passphrase, salt, limits, kHiddenLength));
  return framed(raw);
}

Ed25519Signature SecretKey::sign_raw(std::span<const std::uint8_t> message) const {
  return ed25519_sign(Seed(seed_.bytes().data(), 32), message);
}

}  // namespace imgforge::signing
