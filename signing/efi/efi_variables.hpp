// The contents of the firmware variables of Secure Boot: signature lists, and the signed form in which they
// are written (UEFI specification 32.4.1 and 8.2.2).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "signing/efi/efi_signer.hpp"

namespace imgforge::signing {

/// A GUID as UEFI stores it: the first three fields little-endian.
using EfiGuid = std::array<std::uint8_t, 16>;

/// Parses "8be4df61-93ca-11d2-aa0d-00e098032b8c". Throws kSignature when malformed.
EfiGuid parse_guid(std::string_view text);

/// A list with one X.509 certificate, put there by `owner`.
Bytes signature_list(const EfiGuid& owner, const Bytes& certificate_der);

enum class EfiVariable { kPlatformKey, kKeyExchangeKey, kSignatureDatabase };

/// "PK", "KEK" or "db".
std::string_view variable_name(EfiVariable variable);

/// What a write of `content` to the variable needs: EFI_VARIABLE_AUTHENTICATION_2 by `signer`, then the
/// content. Firmware takes only writes with a later `time` than the last one.
Bytes signed_variable(EfiVariable variable, core::UnixTime time, const Bytes& content,
                      const EfiSigner& signer);

}  // namespace imgforge::signing
