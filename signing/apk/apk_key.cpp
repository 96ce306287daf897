#include "signing/apk/apk_key.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

constexpr std::size_t kMaxPem = 64 << 10;
constexpr int kMinRsaBits = 2048;
constexpr int kMinCurveBits = 256;

/// A PEM block that claims to be encrypted must not make OpenSSL ask on the terminal.
int no_pem_passphrase(char*, int, int, void*) {
  return -1;
}

}  // namespace

core::Error unusable_apk_key(std::string_view key_name, std::string_view why) {
  return core::Error(core::Kind::kSignature,
                     "unusable key " + core::escaped(key_name) + ": " + std::string(why));
}

bool is_apk_key_name(std::string_view name) {
  const auto bad = [](char c) { return c == '/' || c == '\\' || c <= 0x20 || c >= 0x7f; };
  return !name.empty() && name.size() <= 255 && name.front() != '.' &&
         std::none_of(name.begin(), name.end(), bad);
}

PkeyHandle read_apk_key(std::string_view key_name, std::string_view pem) {
  if (pem.size() > kMaxPem) throw unusable_apk_key(key_name, "the file is too large");
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) throw_openssl_failure("cannot read a key");
  PkeyHandle key(PEM_read_bio_PUBKEY(bio.get(), nullptr, &no_pem_passphrase, nullptr));
  if (!key) throw unusable_apk_key(key_name, "not the PEM text of a public key");
  const int kind = EVP_PKEY_get_base_id(key.get());
  if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC)
    throw unusable_apk_key(key_name, "neither an RSA key nor one for ECDSA");
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < (kind == EVP_PKEY_RSA ? kMinRsaBits : kMinCurveBits))
    throw unusable_apk_key(key_name, std::to_string(bits) + " bits are too few");
  return key;
}

}  // namespace imgforge::signing
