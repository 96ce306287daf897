#include "signing/primitives/blake2b.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <bit>
#include <cstddef>

namespace imgforge::signing {
namespace {

constexpr std::size_t kBlock = 128;
constexpr std::size_t kDigest = 32;

// RFC 7693, 2.6: the initialisation vector of SHA-512.
constexpr std::array<std::uint64_t, 8> kIv = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

// RFC 7693, 2.7: message word schedule; rounds 10 and 11 use rows 0 and 1 again.
constexpr std::array<std::array<std::uint8_t, 16>, 10> kSigma = {{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}};

struct State {
  std::array<std::uint64_t, 8> h = kIv;
  std::array<std::uint64_t, 16> v{};
  std::array<std::uint64_t, 16> m{};
  std::array<std::uint8_t, kBlock> block{};
};

void mix(std::array<std::uint64_t, 16>& v, std::size_t a, std::size_t b, std::size_t c, std::size_t d,
         std::uint64_t x, std::uint64_t y) {
  v[a] += v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 32);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 24);
  v[a] += v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = std::rotr(v[b] ^ v[c], 63);
}

/// Function F of RFC 7693, 3.2; `total` counts the bytes up to the end of this block.
void compress(State& s, std::uint64_t total, bool last) {
  for (std::size_t i = 0; i < 16; ++i) {
    s.m[i] = 0;
    for (std::size_t j = 8; j-- > 0;) s.m[i] = (s.m[i] << 8) | s.block[8 * i + j];
    s.v[i] = i < 8 ? s.h[i] : kIv[i - 8];
  }
  s.v[12] ^= total;
  if (last) s.v[14] = ~s.v[14];
  for (std::size_t round = 0; round < 12; ++round) {
    const auto& p = kSigma[round % kSigma.size()];
    for (std::size_t i = 0; i < 4; ++i) {
      mix(s.v, i, i + 4, i + 8, i + 12, s.m[p[2 * i]], s.m[p[2 * i + 1]]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      mix(s.v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, s.m[p[8 + 2 * i]], s.m[p[9 + 2 * i]]);
    }
  }
  for (std::size_t i = 0; i < 8; ++i) s.h[i] ^= s.v[i] ^ s.v[i + 8];
}

}  // namespace

std::array<std::uint8_t, kDigest> blake2b_256(std::span<const std::uint8_t> data) {
  State s;
  s.h[0] ^= 0x01010000 ^ kDigest;  // fanout 1, depth 1, no key, digest length
  std::uint64_t total = 0;
  while (true) {
    const std::size_t n = std::min(kBlock, data.size());
    s.block.fill(0);
    std::copy_n(data.begin(), n, s.block.begin());
    data = data.subspan(n);
    total += n;
    compress(s, total, data.empty());
    if (data.empty()) break;
  }
  std::array<std::uint8_t, kDigest> digest{};
  for (std::size_t i = 0; i < kDigest; ++i) {
    digest[i] = static_cast<std::uint8_t>(s.h[i / 8] >> (8 * (i % 8)));
  }
  OPENSSL_cleanse(&s, sizeof s);
  return digest;
}

}  // namespace imgforge::signing
