#include "signing/formats/p256_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/private_file.hpp"
#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kMaxPem = 4096;

bool is_p256(const EVP_PKEY* key) {
  std::string name(64, '\0');
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) == 1 &&
         name.substr(0, size) == SN_X9_62_prime256v1;
}

Error malformed(const std::string& why) {
  return std::move(Error(Kind::kSignature, why).reason(core::Reason::kMalformed));
}

/// Encrypted files are refused instead of asking on the terminal.
int no_passphrase_here(char*, int, int, void*) {
  return -1;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string public_pem(EVP_PKEY* key) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), key) != 1) throw_openssl_failure("cannot write a public key");
  return text_of(bio.get());
}

bool verifies(EVP_PKEY* key, std::string_view message, std::span<const std::uint8_t> signature) {
  const ErrorQueueGuard guard;
  const MdContextHandle context(EVP_MD_CTX_new());
  return context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

}  // namespace

std::vector<std::uint8_t> ecdsa_der(std::span<const std::uint8_t> r, std::span<const std::uint8_t> s) {
  constexpr std::size_t kHalf = 32;
  if (r.size() > kHalf || s.size() > kHalf) throw malformed("an ECDSA signature of another length");
  const core::Handle<&ECDSA_SIG_free> pair(ECDSA_SIG_new());
  core::Handle<&BN_free> first(BN_bin2bn(r.data(), static_cast<int>(r.size()), nullptr));
  core::Handle<&BN_free> second(BN_bin2bn(s.data(), static_cast<int>(s.size()), nullptr));
  if (!pair || !first || !second || ECDSA_SIG_set0(pair.get(), first.get(), second.get()) != 1)
    throw_openssl_failure("cannot write a signature");
  static_cast<void>(first.release());
  static_cast<void>(second.release());
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(pair.get(), &der);
  if (size <= 0) throw_openssl_failure("cannot write a signature");
  std::vector<std::uint8_t> bytes(der, der + size);
  OPENSSL_free(der);
  return bytes;
}

struct P256PublicKey::State {
  PkeyHandle key;
};
struct P256Key::State {
  PkeyHandle key;
};

P256PublicKey P256PublicKey::parse(std::string_view pem) {
  const ErrorQueueGuard guard;
  if (pem.size() > kMaxPem) throw malformed("a public key of more than 4 KiB");
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto state = std::make_shared<State>();
  state->key = PkeyHandle(PEM_read_bio_PUBKEY(bio.get(), nullptr, &no_passphrase_here, nullptr));
  if (!state->key || !is_p256(state->key.get())) throw malformed("no PEM public key on the curve P-256");
  P256PublicKey key;
  key.state_ = std::move(state);
  key.pem_ = pem;
  return key;
}

P256PublicKey P256PublicKey::from_point(std::span<const std::uint8_t> point) {
  const ErrorQueueGuard guard;
  const PkeyContextHandle context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  std::string group = SN_X9_62_prime256v1;
  std::vector<std::uint8_t> bytes(point.begin(), point.end());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, bytes.data(), bytes.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (bytes.size() != kP256PointSize || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters)) != 1)
    throw malformed("no point of the curve P-256");
  const PkeyHandle key(made);
  return parse(public_pem(key.get()));
}

std::vector<std::uint8_t> P256PublicKey::point() const {
  const ErrorQueueGuard guard;
  constexpr int kHalf = 32;
  std::vector<std::uint8_t> bytes(kP256PointSize);
  bytes[0] = POINT_CONVERSION_UNCOMPRESSED;
  std::uint8_t* at = bytes.data() + 1;
  for (const char* coordinate : {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y}) {
    BIGNUM* number = nullptr;
    const bool read = EVP_PKEY_get_bn_param(state_->key.get(), coordinate, &number) == 1;
    const core::Handle<&BN_free> owned(number);
    if (!read || BN_bn2binpad(number, at, kHalf) != kHalf) throw_openssl_failure("cannot read a public key");
    at += kHalf;
  }
  return bytes;
}

P256PublicKey P256PublicKey::load(const std::filesystem::path& path) {
  return core::while_doing("loading the public key " + core::escaped(path.native()),
                           [&] { return parse(core::read_text_file(path, kMaxPem)); });
}

bool P256PublicKey::verify(std::string_view message, std::span<const std::uint8_t> signature) const {
  return verifies(state_->key.get(), message, signature);
}

std::string P256PublicKey::hint() const {
  const ErrorQueueGuard guard;
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(state_->key.get(), &der);
  if (size <= 0) throw_openssl_failure("cannot write a public key");
  const core::Digest digest = core::digest_of(
      core::HashAlgorithm::kSha256, {reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return core::to_base64(digest.bytes());
}

P256Key P256Key::generate() {
  const ErrorQueueGuard guard;
  auto state = std::make_shared<State>();
  state->key = PkeyHandle(EVP_EC_gen(SN_X9_62_prime256v1));
  if (!state->key) throw_openssl_failure("cannot make a key");
  P256Key key;
  key.state_ = std::move(state);
  return key;
}

P256Key P256Key::load(const std::filesystem::path& path) {
  const ErrorQueueGuard guard;
  const SecretBytes secret = read_private_file(path, "secret key", kMaxPem);
  const BioHandle bio(BIO_new_mem_buf(secret.view().data(), static_cast<int>(secret.size())));
  auto state = std::make_shared<State>();
  state->key = PkeyHandle(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase_here, nullptr));
  if (!state->key || !is_p256(state->key.get()))
    throw malformed(core::escaped(path.native()) + " is no PEM key on the curve P-256, or is encrypted");
  P256Key key;
  key.state_ = std::move(state);
  return key;
}

void P256Key::save(const std::filesystem::path& secret, const std::filesystem::path& public_half) const {
  const ErrorQueueGuard guard;
  const BioHandle bio(BIO_new(BIO_s_secmem()));
  if (!bio ||
      PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
    throw_openssl_failure("cannot write a key");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  const std::string pem = public_key().pem();
  refuse_taken(public_half);
  core::NewFile secret_file = new_file(secret, 0600);
  core::NewFile public_file = new_file(public_half, 0644);
  write_durably(secret_file, {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size)});
  write_durably(public_file, {reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
  secret_file.keep();
  public_file.keep();
}

std::vector<std::uint8_t> P256Signer::sign(std::string_view message) const {
  std::vector<std::uint8_t> signature = sign_unverified(message);
  if (!public_key().verify(message, signature))
    throw Error(Kind::kSignature, "an ECDSA signature that was just made does not verify")
        .reason(core::Reason::kBadSignature);
  return signature;
}

std::vector<std::uint8_t> P256Key::sign_unverified(std::string_view message) const {
  const ErrorQueueGuard guard;
  const MdContextHandle context(EVP_MD_CTX_new());
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, state_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) != 1)
    throw_openssl_failure("cannot sign");
  std::vector<std::uint8_t> signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, bytes, message.size()) != 1)
    throw_openssl_failure("cannot sign");
  signature.resize(size);
  return signature;
}

P256PublicKey P256Key::public_key() const {
  const ErrorQueueGuard guard;
  return P256PublicKey::parse(public_pem(state_->key.get()));
}

}  // namespace imgforge::signing
