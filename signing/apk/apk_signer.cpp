#include "signing/apk/apk_signer.hpp"

#include <openssl/pem.h>

#include <array>

#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/keys/private_file.hpp"
#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {
namespace {

constexpr std::size_t kMaxPem = 64 << 10;

/// OpenSSL must not ask on the terminal.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::string rsa_signature(EVP_PKEY* key, const EVP_MD* algorithm, std::span<const std::byte> bytes) {
  const MdContextHandle context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, algorithm, nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, data, bytes.size()) != 1)
    throw_openssl_failure("cannot sign with RSA");
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, data,
                     bytes.size()) != 1)
    throw_openssl_failure("cannot sign with RSA");
  signature.resize(size);
  return signature;
}

}  // namespace

struct ApkSigner::Key {
  PkeyHandle handle;
};

ApkSigner::ApkSigner(const std::filesystem::path& file) : key_name_(file.filename().native() + ".pub") {
  if (!file.filename().native().ends_with(".rsa") || file.filename().native().size() < 5) {
    throw core::Error(core::Kind::kUsage, core::escaped(file.native(), 200) + ": not a name for a key of apk")
        .hint("apk finds keys by file name: NAME.rsa, and beside it NAME.rsa.pub");
  }
  SecretBytes pem = read_private_file(file, "the key of the repository", kMaxPem);
  const ErrorQueueGuard guard;
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (!bio) throw_openssl_failure("cannot read a key");
  PkeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_passphrase, nullptr));
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
    throw core::Error(core::Kind::kSignature,
                      core::escaped(file.native(), 200) + ": not a private RSA key without passphrase")
        .hint("openssl genrsa -out NAME.rsa 4096 makes one");
  }
  key_ = std::make_unique<Key>(Key{std::move(key)});
  check_apk_key(key_name_, public_key());
}

ApkSigner::~ApkSigner() = default;
ApkSigner::ApkSigner(ApkSigner&&) noexcept = default;

std::string ApkSigner::public_key() const {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_->handle.get()) != 1)
    throw_openssl_failure("cannot write a public key");
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::vector<ApkSignatureEntry> ApkSigner::sign(std::span<const std::byte> bytes) const {
  const ErrorQueueGuard guard;
  return {{".SIGN.RSA." + key_name_, rsa_signature(key_->handle.get(), EVP_sha1(), bytes)},
          {".SIGN.RSA256." + key_name_, rsa_signature(key_->handle.get(), EVP_sha256(), bytes)}};
}

}  // namespace imgforge::signing
