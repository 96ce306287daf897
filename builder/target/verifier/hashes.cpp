#include "builder/target/verifier/hashes.hpp"

#include <cstdint>

namespace imgforge::verifier {
namespace {

using Word = std::uint64_t;

/// Fractional parts of the square roots of the first eight primes: where both hashes begin.
constexpr Word kStart[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/// Fractional parts of the cube roots of the first 80 primes.
constexpr Word kRound[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
    0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
    0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
    0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
    0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
    0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
    0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
    0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
    0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
    0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
    0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
    0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
    0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

/// Order in which BLAKE2b's rounds read the words of a block.
constexpr unsigned char kOrder[10][16] = {
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
};

constexpr std::size_t kBlock = 128;

Word rotated(Word word, int bits) {
  return (word >> bits) | (word << (64 - bits));
}

void sha512_block(Word (&state)[8], const unsigned char* block) {
  Word w[80];
  for (int i = 0; i < 16; ++i) {
    w[i] = 0;
    for (int byte = 0; byte < 8; ++byte) w[i] = (w[i] << 8) | block[8 * i + byte];
  }
  for (int i = 16; i < 80; ++i) {
    const Word a = rotated(w[i - 15], 1) ^ rotated(w[i - 15], 8) ^ (w[i - 15] >> 7);
    const Word b = rotated(w[i - 2], 19) ^ rotated(w[i - 2], 61) ^ (w[i - 2] >> 6);
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  Word s[8];
  for (int i = 0; i < 8; ++i) s[i] = state[i];
  for (int i = 0; i < 80; ++i) {
    const Word mixed = rotated(s[4], 14) ^ rotated(s[4], 18) ^ rotated(s[4], 41);
    const Word choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const Word first = s[7] + mixed + choice + kRound[i] + w[i];
    const Word other = rotated(s[0], 28) ^ rotated(s[0], 34) ^ rotated(s[0], 39);
    const Word majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    for (int k = 7; k > 0; --k) s[k] = s[k - 1];
    s[4] += first;
    s[0] = first + other + majority;
  }
  for (int i = 0; i < 8; ++i) state[i] += s[i];
}

void mix(Word& a, Word& b, Word& c, Word& d, Word x, Word y) {
  a += b + x;
  d = rotated(d ^ a, 32);
  c += d;
  b = rotated(b ^ c, 24);
  a += b + y;
  d = rotated(d ^ a, 16);
  c += d;
  b = rotated(b ^ c, 63);
}

void blake2b_block(Word (&state)[8], const unsigned char* block, Word counted, bool last) {
  Word m[16];
  for (int i = 0; i < 16; ++i) {
    m[i] = 0;
    for (int byte = 7; byte >= 0; --byte) m[i] = (m[i] << 8) | block[8 * i + byte];
  }
  Word v[16];
  for (int i = 0; i < 8; ++i) {
    v[i] = state[i];
    v[i + 8] = kStart[i];
  }
  v[12] ^= counted;
  if (last) v[14] = ~v[14];
  for (int round = 0; round < 12; ++round) {
    const unsigned char* const order = kOrder[round % 10];
    for (int i = 0; i < 4; ++i)
      mix(v[i], v[4 + i], v[8 + i], v[12 + i], m[order[2 * i]], m[order[2 * i + 1]]);
    for (int i = 0; i < 4; ++i) {
      mix(v[i], v[4 + (i + 1) % 4], v[8 + (i + 2) % 4], v[12 + (i + 3) % 4], m[order[8 + 2 * i]],
          m[order[9 + 2 * i]]);
    }
  }
  for (int i = 0; i < 8; ++i) state[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

void sha512(const Piece* pieces, std::size_t count, unsigned char (&digest)[64]) {
  Word state[8];
  for (int i = 0; i < 8; ++i) state[i] = kStart[i];
  unsigned char block[kBlock] = {};
  std::size_t filled = 0;
  Word total = 0;
  const auto take = [&](unsigned char byte) {
    block[filled++] = byte;
    if (filled < kBlock) return;
    sha512_block(state, block);
    filled = 0;
  };
  for (std::size_t piece = 0; piece < count; ++piece) {
    for (std::size_t i = 0; i < pieces[piece].size; ++i) take(pieces[piece].bytes[i]);
    total += pieces[piece].size;
  }
  take(0x80);
  // The length takes 16 bytes of the last block, the upper 8 of which are zero here.
  while (filled != kBlock - 16) take(0);
  for (int i = 0; i < 8; ++i) take(0);
  for (int i = 7; i >= 0; --i) take(static_cast<unsigned char>((total * 8) >> (8 * i)));
  for (int i = 0; i < 64; ++i) digest[i] = static_cast<unsigned char>(state[i / 8] >> (56 - 8 * (i % 8)));
}

void blake2b(const unsigned char* bytes, std::size_t size, unsigned char (&digest)[64]) {
  Word state[8];
  for (int i = 0; i < 8; ++i) state[i] = kStart[i];
  state[0] ^= 0x01010040;  // no key, 64 bytes of digest
  std::size_t at = 0;
  for (; size - at > kBlock; at += kBlock) blake2b_block(state, bytes + at, at + kBlock, false);
  unsigned char block[kBlock] = {};
  for (std::size_t i = at; i < size; ++i) block[i - at] = bytes[i];
  blake2b_block(state, block, size, true);
  for (int i = 0; i < 64; ++i) digest[i] = static_cast<unsigned char>(state[i / 8] >> (8 * (i % 8)));
}

}  // namespace imgforge::verifier
