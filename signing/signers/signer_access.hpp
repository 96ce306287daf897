// What keys that are elsewhere need of the program that uses them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "core/cancel.hpp"
#include "core/process.hpp"
#include "signing/keys/passphrase.hpp"

namespace imgforge::signing {

/// Where the PIN of a token comes from when its URI names no file; called when one is needed. Wrong ones can
/// lock a token, so none is tried twice.
using PinSource = std::function<std::unique_ptr<PassphraseSource>()>;

struct SignerAccess {
  core::ProcessRunner& processes;
  core::CancelToken cancel;
  PinSource pin;
  std::chrono::milliseconds patience = std::chrono::minutes(2);  ///< for one answer
};

}  // namespace imgforge::signing
