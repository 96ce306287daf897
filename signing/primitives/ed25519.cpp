#include "signing/primitives/ed25519.hpp"

#include <algorithm>
#include <cstddef>

#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {
namespace {

/// The prime 2^255-19, little-endian.
constexpr Ed25519Public field_prime() {
  Ed25519Public prime{};
  prime.fill(0xff);
  prime.front() = 0xed;
  prime.back() = 0x7f;
  return prime;
}

/// y coordinates, below the prime, of the points P with [8]P = identity: order 4, 1, 8, 8 and 2.
constexpr std::array<Ed25519Public, 5> small_order_points() {
  Ed25519Public minus_one = field_prime();
  minus_one.front() = 0xec;
  return {{
      {},
      {1},
      {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
       0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
      {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
       0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
      minus_one,
  }};
}

PkeyHandle private_key(std::span<const std::uint8_t, 32> seed) {
  PkeyHandle key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  if (!key) throw_openssl_failure("cannot use an Ed25519 secret key");
  return key;
}

}  // namespace

bool ed25519_acceptable(const Ed25519Public& key) {
  Ed25519Public y = key;
  y.back() &= 0x7f;  // the sign of x; both signs of these points are bad
  const Ed25519Public prime = field_prime();
  const bool canonical = std::lexicographical_compare(y.rbegin(), y.rend(), prime.rbegin(), prime.rend());
  const auto bad = small_order_points();
  return canonical && std::find(bad.begin(), bad.end(), y) == bad.end();
}

Ed25519Public ed25519_public(std::span<const std::uint8_t, 32> seed) {
  const ErrorQueueGuard guard;
  const PkeyHandle key = private_key(seed);
  Ed25519Public out{};
  std::size_t length = out.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), out.data(), &length) != 1 || length != out.size()) {
    throw_openssl_failure("cannot derive an Ed25519 public key");
  }
  return out;
}

Ed25519Signature ed25519_sign(std::span<const std::uint8_t, 32> seed, std::span<const std::uint8_t> message) {
  const ErrorQueueGuard guard;
  const PkeyHandle key = private_key(seed);
  const MdContextHandle context(EVP_MD_CTX_new());
  Ed25519Signature out{};
  std::size_t length = out.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), out.data(), &length, message.data(), message.size()) != 1 ||
      length != out.size()) {
    throw_openssl_failure("cannot make an Ed25519 signature");
  }
  return out;
}

bool ed25519_verify(const Ed25519Public& key, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t, 64> signature) {
  if (!ed25519_acceptable(key)) return false;
  const ErrorQueueGuard guard;
  const PkeyHandle pkey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  const MdContextHandle context(EVP_MD_CTX_new());
  if (!pkey || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1) {
    throw_openssl_failure("cannot check an Ed25519 signature");
  }
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

}  // namespace imgforge::signing
