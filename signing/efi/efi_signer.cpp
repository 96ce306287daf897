#include "signing/efi/efi_signer.hpp"

#include <openssl/rsa.h>

#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/efi/x509.hpp"
#include "signing/keys/private_file.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

constexpr int kBits = 2048;
constexpr std::size_t kMaxPem = 64 << 10;
constexpr const char* kIndirectData = "1.3.6.1.4.1.311.2.1.4";  // SPC_INDIRECT_DATA_OBJID

/// Content octets of the SpcIndirectDataContent up to the digest: SpcPeImageData (no flags, the file link
/// "<<<Obsolete>>>" that everybody writes) and the algorithm SHA-256.
constexpr std::uint8_t kIndirectDataStart[] = {
    0x30, 0x33, 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x0f, 0x30,
    0x25, 0x03, 0x01, 0x00, 0xa0, 0x20, 0xa2, 0x1e, 0x80, 0x1c, 0x00, 0x3c, 0x00, 0x3c, 0x00,
    0x3c, 0x00, 0x4f, 0x00, 0x62, 0x00, 0x73, 0x00, 0x6f, 0x00, 0x6c, 0x00, 0x65, 0x00, 0x74,
    0x00, 0x65, 0x00, 0x3e, 0x00, 0x3e, 0x00, 0x3e, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
    0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

void require(bool done) {
  if (!done) throw_openssl_failure("cannot make a PKCS #7 signature");
}

/// DER of an object, by its i2d function.
template <class Encode, class T>
Bytes der_of(Encode encode, T* object) {
  const int size = encode(object, nullptr);
  require(size > 0);
  Bytes der(static_cast<std::size_t>(size));
  unsigned char* end = der.data();
  require(encode(object, &end) == size);
  return der;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

/// A PEM block that claims to be encrypted must not make OpenSSL ask on the terminal.
int no_pem_passphrase(char*, int, int, void*) {
  return -1;
}

ASN1_OBJECT* indirect_data_type() {
  ASN1_OBJECT* const type = OBJ_txt2obj(kIndirectData, 1);
  require(type != nullptr);
  return type;
}

/// The signed content: a SEQUENCE with these octets, under its own type.
void set_indirect_data(PKCS7* pkcs7, const Bytes& octets) {
  Bytes sequence = {0x30, static_cast<std::uint8_t>(octets.size())};  // shorter than 128 bytes
  sequence.insert(sequence.end(), octets.begin(), octets.end());
  Pkcs7Handle content(PKCS7_new());
  Asn1TypeHandle value(ASN1_TYPE_new());
  Asn1StringHandle text(ASN1_STRING_new());
  require(content && value && text &&
          ASN1_STRING_set(text.get(), sequence.data(), static_cast<int>(sequence.size())) == 1);
  ASN1_TYPE_set(value.get(), V_ASN1_SEQUENCE, text.release());
  content->type = indirect_data_type();
  content->d.other = value.release();
  require(PKCS7_set_content(pkcs7, content.get()) == 1);
  static_cast<void>(content.release());
}

/// No signature leaves the process unchecked: against the certificate in it, over what was to be signed.
void require_valid(PKCS7* pkcs7, std::span<const std::uint8_t> content) {
  const BioHandle bio(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
  require(bio != nullptr);
  // Whether the certificate is trusted (NOVERIFY) is the firmware's question.
  require(PKCS7_verify(pkcs7, nullptr, nullptr, bio.get(), nullptr, PKCS7_NOVERIFY | PKCS7_BINARY) == 1);
}

}  // namespace

struct EfiSigner::State {
  PkeyHandle key;
  X509Handle certificate;
  Bytes certificate_der;
};

EfiSigner::EfiSigner(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->certificate_der = der_of(&i2d_X509, state_->certificate.get());
}
EfiSigner::~EfiSigner() = default;
EfiSigner::EfiSigner(EfiSigner&&) noexcept = default;
EfiSigner& EfiSigner::operator=(EfiSigner&&) noexcept = default;

EfiSigner EfiSigner::generate(std::string_view common_name, core::UnixTime made) {
  const ErrorQueueGuard guard;
  auto state = std::make_unique<State>();
  state->key = PkeyHandle(EVP_RSA_gen(kBits));
  if (!state->key) throw_openssl_failure("cannot make an RSA key");
  state->certificate = self_signed_certificate(state->key.get(), common_name, made);
  return EfiSigner(std::move(state));
}

EfiSigner EfiSigner::load(const std::filesystem::path& key, const std::filesystem::path& certificate) {
  const ErrorQueueGuard guard;
  const auto unusable = [](const std::filesystem::path& path, const std::string& why) {
    return Error(Kind::kSignature, core::escaped(path.native()) + " " + why);
  };
  auto state = std::make_unique<State>();
  const SecretBytes secret = read_private_file(key, "Secure Boot key", kMaxPem);
  const BioHandle key_bio(BIO_new_mem_buf(secret.view().data(), static_cast<int>(secret.size())));
  state->key = PkeyHandle(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, &no_pem_passphrase, nullptr));
  if (!state->key) throw unusable(key, "is no PEM key, or is encrypted");
  if (EVP_PKEY_get_base_id(state->key.get()) != EVP_PKEY_RSA || EVP_PKEY_get_bits(state->key.get()) < kBits) {
    throw unusable(key, "is no RSA key of 2048 bits or more");
  }
  const std::string text = core::read_text_file(certificate, kMaxPem);
  const BioHandle bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  state->certificate = X509Handle(PEM_read_bio_X509(bio.get(), nullptr, &no_pem_passphrase, nullptr));
  if (!state->certificate) throw unusable(certificate, "is no PEM certificate");
  if (X509_check_private_key(state->certificate.get(), state->key.get()) != 1) {
    throw unusable(certificate, "does not belong to the key " + core::escaped(key.native()));
  }
  return EfiSigner(std::move(state));
}

SecretBytes EfiSigner::key_pem() const {
  const ErrorQueueGuard guard;
  const BioHandle bio(BIO_new(BIO_s_secmem()));
  if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), state_->key.get(), nullptr, nullptr, 0, nullptr,
                                            nullptr) != 1) {
    throw_openssl_failure("cannot write a key");
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return SecretBytes(std::string_view(data, static_cast<std::size_t>(size)));
}

std::string EfiSigner::certificate_pem() const {
  const ErrorQueueGuard guard;
  const BioHandle bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_X509(bio.get(), state_->certificate.get()) != 1) {
    throw_openssl_failure("cannot write a certificate");
  }
  return text_of(bio.get());
}

const Bytes& EfiSigner::certificate_der() const {
  return state_->certificate_der;
}

Bytes EfiSigner::sign_program(const core::Digest& digest) const {
  if (digest.algorithm() != core::HashAlgorithm::kSha256) {
    throw Error(Kind::kInternal, "an EFI program is signed by its SHA-256");
  }
  const ErrorQueueGuard guard;
  Bytes octets(std::begin(kIndirectDataStart), std::end(kIndirectDataStart));
  octets.insert(octets.end(), digest.bytes().begin(), digest.bytes().end());

  const Pkcs7Handle pkcs7(PKCS7_new());
  require(pkcs7 && PKCS7_set_type(pkcs7.get(), NID_pkcs7_signed) == 1);
  PKCS7_SIGNER_INFO* const signer =
      PKCS7_add_signature(pkcs7.get(), state_->certificate.get(), state_->key.get(), EVP_sha256());
  require(signer != nullptr && PKCS7_add_certificate(pkcs7.get(), state_->certificate.get()) == 1);
  set_indirect_data(pkcs7.get(), octets);
  // Two signed attributes, the type and the digest of the content; a signing time would differ each time.
  require(PKCS7_add_attrib_content_type(signer, indirect_data_type()) == 1);
  const core::Digest content = [&] {
    core::Hasher hasher(core::HashAlgorithm::kSha256);
    hasher.update(std::as_bytes(std::span(octets)));
    return hasher.finish();
  }();
  require(PKCS7_add1_attrib_digest(signer, content.bytes().data(),
                                   static_cast<int>(content.bytes().size())) == 1);
  require(PKCS7_SIGNER_INFO_sign(signer) == 1);
  require_valid(pkcs7.get(), octets);
  return der_of(&i2d_PKCS7, pkcs7.get());
}

Bytes EfiSigner::sign_message(std::span<const std::uint8_t> message) const {
  const ErrorQueueGuard guard;
  const BioHandle bio(BIO_new_mem_buf(message.data(), static_cast<int>(message.size())));
  require(bio != nullptr);
  const int flags = PKCS7_BINARY | PKCS7_DETACHED | PKCS7_NOATTR | PKCS7_NOSMIMECAP;
  const Pkcs7Handle pkcs7(
      PKCS7_sign(state_->certificate.get(), state_->key.get(), nullptr, bio.get(), flags));
  require(pkcs7 != nullptr);
  require_valid(pkcs7.get(), message);
  return der_of(&i2d_PKCS7_SIGNED, pkcs7->d.sign);
}

}  // namespace imgforge::signing
