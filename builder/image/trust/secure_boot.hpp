// Signs EFI programs for Secure Boot. imgforge writes the Authenticode signature itself: sbsign puts the time
// of signing into it, so that equal inputs would not give equal bytes. sbverify is the second opinion.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/image/disk/esp.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"
#include "signing/efi/efi_signer.hpp"

namespace imgforge::image {

/// Writes `program` with a signature by `signer` to the new file `output`. Equal arguments give equal bytes.
/// Throws kImage when it is no EFI program for x86-64 or is signed already.
void sign_efi_program(const std::filesystem::path& program, const std::filesystem::path& output,
                      const signing::EfiSigner& signer);

/// Checks with sbverify that a PEM certificate's key signed `program`. Throws kSignature when not.
void verify_efi_program(const std::filesystem::path& program, const std::filesystem::path& certificate,
                        core::ProcessRunner& processes, const core::CancelToken& cancel);

/// loader/keys/auto/{PK,KEK,db}.auth out of a folder of Secure Boot keys: what systemd-boot enrols in a
/// firmware that is in setup mode when loader.conf says so.
std::vector<MediumFile> enrolment_files(const std::filesystem::path& keys);

/// How those keys get into firmware that is in setup mode. kNone: they are not on the medium. kOffered: by an
/// entry of systemd-boot's menu. kForced: at the first start, which then restarts the machine.
enum class Enrolment { kNone, kOffered, kForced };

/// The line of loader.conf that says so.
std::string enrolment_line(Enrolment enrolment);

}  // namespace imgforge::image
