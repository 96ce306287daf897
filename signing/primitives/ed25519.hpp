// Ed25519 (RFC 8032) on raw bytes, over OpenSSL. OpenSSL loads any 32 bytes as a public key; a point of small
// order would let one forged signature fit every message, so such keys are told apart here.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace imgforge::signing {

using Ed25519Public = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, 64>;

/// False for encodings that are not canonical (y >= 2^255-19) and for points of small order.
bool ed25519_acceptable(const Ed25519Public& key);
Ed25519Public ed25519_public(std::span<const std::uint8_t, 32> seed);
Ed25519Signature ed25519_sign(std::span<const std::uint8_t, 32> seed, std::span<const std::uint8_t> message);
bool ed25519_verify(const Ed25519Public& key, std::span<const std::uint8_t> message,
                    std::span<const std::uint8_t, 64> signature);

}  // namespace imgforge::signing
