// SHA-512 (FIPS 180-4) and BLAKE2b-512 (RFC 7693) of bytes in memory, without a library.
#pragma once

#include <cstddef>

namespace imgforge::verifier {

/// Bytes that a hash reads one after the other.
struct Piece {
  const unsigned char* bytes;
  std::size_t size;
};

void sha512(const Piece* pieces, std::size_t count, unsigned char (&digest)[64]);
void blake2b(const unsigned char* bytes, std::size_t size, unsigned char (&digest)[64]);

}  // namespace imgforge::verifier
