// A key behind a program of the user's: a hardware module, a signing service, another machine. It gets the
// bytes to sign on standard input and prints the signature, 64 bytes in base64, on standard output.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/process.hpp"
#include "signing/keys/raw_signer.hpp"

namespace imgforge::signing {

/// Runs `words` (a program and its arguments, no shell) for each signature; IMGFORGE_PUBLIC_KEY is the line
/// of `key` in its environment. An exit code other than 0 and any other output are kSignature; `patience` is
/// how long it may take (kTimeout).
std::unique_ptr<RawSigner> command_signer(std::vector<std::string> words, const PublicKey& key,
                                          core::ProcessRunner& processes, const core::CancelToken& cancel,
                                          std::chrono::milliseconds patience = std::chrono::minutes(2));

}  // namespace imgforge::signing
