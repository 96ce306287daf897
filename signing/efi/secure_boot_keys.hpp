// The keys of one owner's Secure Boot, as a folder: platform key (PK), key exchange key (KEK) and the key
// that signs EFI programs (db), with the files that enrol them.
#pragma once

#include <filesystem>
#include <string_view>

#include "signing/efi/efi_signer.hpp"

namespace imgforge::signing {

/// Ends the name of a folder of Secure Boot keys.
inline constexpr std::string_view kSecureBootSuffix = ".secure-boot";

/// Makes `folder`, which must not exist, with new keys: PK, KEK and db, each as .key (PEM, 0600), .crt (PEM),
/// .cer (DER) and .auth (signed variable), and owner.guid. The whole folder appears in one rename. `name`
/// stands in the certificates; `made` is the time of the signed variables. Throws kUsage when the name is
/// taken or is no plain file name, kPermission, kNoSpace, kIo.
void create_secure_boot_keys(const std::filesystem::path& folder, std::string_view name, core::UnixTime made);

/// The key of `folder` that signs EFI programs. Throws as EfiSigner::load does.
EfiSigner load_program_signer(const std::filesystem::path& folder);

}  // namespace imgforge::signing
