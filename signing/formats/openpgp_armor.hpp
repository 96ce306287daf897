// OpenPGP's files as text (RFC 4880, 6.2) and the packets in them (4.2), as far as needed to hand gpgv what
// it shall look at and nothing else: no clear-signed text, no message, no keybox.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::signing {

struct OpenPgpPacket {
  unsigned tag = 0;
  std::string_view body;
};
inline constexpr unsigned kOpenPgpSignatureTag = 2;
inline constexpr unsigned kOpenPgpSecretKeyTag = 5;
inline constexpr unsigned kOpenPgpPublicKeyTag = 6;
inline constexpr unsigned kOpenPgpSecretSubkeyTag = 7;

/// The bytes of an armoured `block` ("SIGNATURE", "PUBLIC KEY BLOCK"): one block, nothing before or after it,
/// the right CRC-24 when there is one. Throws kSignature (Reason::kMalformed).
std::string openpgp_unarmoured(std::string_view text, std::string_view block);

/// All packets, which point into `bytes`; lengths in parts or without end are refused. Throws kSignature
/// (Reason::kMalformed).
std::vector<OpenPgpPacket> openpgp_packets(std::string_view bytes);

}  // namespace imgforge::signing
