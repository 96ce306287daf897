#include "signing/minisign/signer.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/minisign/minisign.hpp"

namespace imgforge::signing {

Signer::Signer(std::shared_ptr<const SecretKey> key, core::UnixTime time)
    : Signer(
          key->public_key().file_text(),
          [key](std::string_view file, std::string_view bytes, core::UnixTime moment) {
            return signing::sign(*key, bytes, usual_trusted_comment(moment, file));
          },
          time) {}

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

std::string Signer::public_key_line() const {
  const std::string_view text = core::trimmed(public_key_);
  return std::string(text.substr(text.rfind('\n') + 1));
}

}  // namespace imgforge::signing
