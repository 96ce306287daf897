// minisign's files, envelopes, and the rules of trusted keys. What is read must be written as it was read.
#include <stdexcept>

#include "core/error.hpp"
#include "fuzz/table.hpp"
#include "signing/formats/dsse.hpp"
#include "signing/formats/openpgp.hpp"
#include "signing/formats/openpgp_armor.hpp"
#include "signing/formats/sigstore.hpp"
#include "signing/formats/sshsig.hpp"
#include "signing/keys/public_key.hpp"
#include "signing/keys/secret_key.hpp"
#include "signing/minisign/minisign.hpp"
#include "signing/trust/key_rules.hpp"

namespace imgforge::fuzz {

void minisign_signature(std::string_view bytes) {
  const std::string text = signing::Signature::parse(bytes).text();
  if (signing::Signature::parse(text).text() != text)
    throw std::logic_error("a signature changes when it is read again");
}

void minisign_public_key(std::string_view bytes) {
  const signing::PublicKey key = signing::PublicKey::parse(bytes);
  if (!key.same_key(signing::PublicKey::parse(key.line())))
    throw std::logic_error("a key changes when it is read again");
}

namespace {

/// What can be read is by nobody's key here.
template <class Read>
void read_untrusted(Read&& read) {
  try {
    read();
  } catch (const core::Error& error) {
    if (error.reason() != core::Reason::kUnknownKey) throw;
  }
}

}  // namespace

void ssh_signature(std::string_view bytes) {
  read_untrusted([&] { signing::ssh_verify(bytes, "message", {}); });
}

void sigstore_bundle(std::string_view bytes) {
  read_untrusted([&] { signing::sigstore_verify(bytes, "message", {}); });
}

/// A key ring, armoured or not; the packets of it are all of its bytes.
void openpgp_file(std::string_view bytes) {
  const std::string read = signing::OpenPgpKeyring::parse(bytes).bytes;
  std::size_t packets = 0;
  for (const signing::OpenPgpPacket& packet : signing::openpgp_packets(read)) packets += packet.body.size();
  if (packets >= read.size()) throw std::logic_error("packets are longer than what they are read from");
}

void dsse(std::string_view bytes) {
  const std::string text = signing::DsseEnvelope::parse(bytes).text();
  if (signing::DsseEnvelope::parse(text).text() != text)
    throw std::logic_error("an envelope changes when it is read again");
}

/// Without a passphrase: to derive a key takes too long to be done often.
void minisign_secret_key(std::string_view bytes) {
  signing::SecretKey::parse(bytes);
}

void key_rules(std::string_view bytes) {
  const std::string text = signing::print_key_rules(signing::parse_key_rules(bytes));
  if (signing::print_key_rules(signing::parse_key_rules(text)) != text)
    throw std::logic_error("rules of keys change when they are read again");
}

}  // namespace imgforge::fuzz
