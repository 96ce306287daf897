// Counting keys: one key counts once, under however many ids and however often it signed.
#pragma once

#include <algorithm>
#include <vector>

#include "signing/keys/public_key.hpp"

namespace imgforge::signing {

inline bool holds_key(const std::vector<PublicKey>& keys, const PublicKey& key) {
  return std::any_of(keys.begin(), keys.end(), [&](const PublicKey& other) { return other.same_key(key); });
}

/// Adds a key whose 32 bytes are not there yet.
inline void add_distinct(std::vector<PublicKey>& keys, const PublicKey& key) {
  if (!holds_key(keys, key)) keys.push_back(key);
}

}  // namespace imgforge::signing
