// Numbers modulo 2^255 - 19, the field of Curve25519, as five limbs of 51 bits. For verifying only: nothing
// here is secret, so nothing is done in constant time.
#pragma once

#include <cstdint>

namespace imgforge::verifier {

struct Field {
  std::uint64_t limb[5] = {};  ///< each below 2^52 between operations
};

Field field_of(std::uint64_t small);
Field operator+(const Field& a, const Field& b);
Field operator-(const Field& a, const Field& b);
Field operator*(const Field& a, const Field& b);
/// 1 / a; 0 for 0.
Field inverse(const Field& a);
/// a to the power (p - 5) / 8, with which square roots are found.
Field root_power(const Field& a);
/// A square root of -1.
Field root_of_minus_one();

/// The 32 bytes of the one number below p, lowest first.
void encode(const Field& a, unsigned char (&bytes)[32]);
/// The number of 255 bits; the highest bit is ignored. False when it is p or more.
bool decode(const unsigned char* bytes, Field& a);
bool equal(const Field& a, const Field& b);
bool is_zero(const Field& a);
bool is_odd(const Field& a);

}  // namespace imgforge::verifier
