#include "signing/minisign/signer.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/minisign/minisign.hpp"

namespace imgforge::signing {

Signer::Signer(std::shared_ptr<const RawSigner> key, core::UnixTime time)
    : Signer(
          key->public_key().file_text(),
          [key](std::string_view file, std::string_view bytes, core::UnixTime moment) {
            return signing::sign(*key, bytes, usual_trusted_comment(moment, file));
          },
          time) {
  sign_raw_ = [key](std::span<const std::uint8_t> message) { return key->sign_raw(message); };
}

Signer::Signer(std::string public_key, Sign sign, core::UnixTime time)
    : public_key_(std::move(public_key)), sign_(std::move(sign)), time_(time) {}

Signer Signer::at(core::UnixTime time) const {
  Signer other = *this;
  other.time_ = time;
  return other;
}

std::string Signer::sign(std::string_view file, std::string_view bytes) const {
  if (!sign_) throw core::Error(core::Kind::kInternal, "there is nobody to sign " + core::escaped(file));
  return sign_(file, bytes, time_);
}

std::vector<Signer::Further> Signer::further(std::string_view file, std::string_view bytes) const {
  std::vector<Further> all;
  for (const SignFurther& sign : further_) {
    for (Further& one : sign(file, bytes)) all.push_back(std::move(one));
  }
  return all;
}

Ed25519Signature Signer::sign_raw(std::span<const std::uint8_t> message) const {
  if (!sign_raw_) throw core::Error(core::Kind::kInternal, "there is no key to sign with");
  const Ed25519Signature signature = sign_raw_(message);
  if (!ed25519_verify(key().point(), message, signature))
    throw core::Error(core::Kind::kSignature,
                      "a signature that was just made does not verify with key " + key().id())
        .reason(core::Reason::kBadSignature);
  return signature;
}

std::string Signer::public_key_line() const {
  const std::string_view text = core::trimmed(public_key_);
  return std::string(text.substr(text.rfind('\n') + 1));
}

}  // namespace imgforge::signing
