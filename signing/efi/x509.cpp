#include "signing/efi/x509.hpp"

#include <array>
#include <chrono>

#include "core/handle.hpp"
#include "core/random.hpp"

namespace imgforge::signing {
namespace {

constexpr long kX509Version3 = 2;
constexpr std::chrono::days kValidity{20 * 365};

void require(bool done) {
  if (!done) throw_openssl_failure("cannot make a certificate");
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_serial(X509* certificate) {
  std::array<std::uint8_t, 16> serial{};
  core::random_bytes(serial);
  serial[0] = static_cast<std::uint8_t>((serial[0] & 0x7F) | 0x40);  // positive, always 16 bytes
  const core::Handle<&BN_free> number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
  require(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

}  // namespace

X509Handle self_signed_certificate(EVP_PKEY* key, std::string_view common_name, core::UnixTime made) {
  X509Handle certificate(X509_new());
  require(certificate && X509_set_version(certificate.get(), kX509Version3) == 1);
  set_serial(certificate.get());
  // A machine whose clock is somewhat behind takes it too; firmware does not look at times.
  const core::UnixTime from = made - std::chrono::days(1);
  require(ASN1_TIME_set(X509_getm_notBefore(certificate.get()), from.time_since_epoch().count()) != nullptr);
  require(ASN1_TIME_set(X509_getm_notAfter(certificate.get()),
                        (from + kValidity).time_since_epoch().count()) != nullptr);
  X509_NAME* const name = X509_get_subject_name(certificate.get());
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1);
  require(X509_set_issuer_name(certificate.get(), name) == 1);
  require(X509_set_pubkey(certificate.get(), key) == 1);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate.get(), NID_subject_key_identifier, "hash");
  require(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

}  // namespace imgforge::signing
