// Signatures where several may stand beside each other.
#pragma once

#include "core/error.hpp"

namespace imgforge::core {

/// True for the reasons why a signature is passed over: its key is unknown or revoked, or its time has not
/// come or is over. Nothing is wrong with the signature itself.
constexpr bool does_not_count(Reason reason) {
  return reason == Reason::kUnknownKey || reason == Reason::kRevokedKey || reason == Reason::kExpired ||
         reason == Reason::kNotYetValid;
}

}  // namespace imgforge::core
