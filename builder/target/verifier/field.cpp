#include "builder/target/verifier/field.hpp"

namespace imgforge::verifier {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kMask = (std::uint64_t{1} << 51) - 1;

/// Brings every limb below 2^51, but for a few units of the lowest two.
Field carried(Field a) {
  for (int round = 0; round < 2; ++round) {
    std::uint64_t carry = 0;
    for (std::uint64_t& limb : a.limb) {
      limb += carry;
      carry = limb >> 51;
      limb &= kMask;
    }
    a.limb[0] += 19 * carry;
  }
  return a;
}

/// The power whose exponent is 2^bits - tail; 2^bits - 1 - (tail - 1) has all bits set but those of tail - 1.
Field power(const Field& a, int bits, std::uint64_t tail) {
  Field result = field_of(1);
  for (int bit = bits - 1; bit >= 0; --bit) {
    result = result * result;
    const bool set = bit >= 64 || (((tail - 1) >> bit) & 1) == 0;
    if (set) result = result * a;
  }
  return result;
}

}  // namespace

Field field_of(std::uint64_t small) {
  Field a;
  a.limb[0] = small;
  return a;
}

Field operator+(const Field& a, const Field& b) {
  Field sum;
  for (int i = 0; i < 5; ++i) sum.limb[i] = a.limb[i] + b.limb[i];
  return carried(sum);
}

Field operator-(const Field& a, const Field& b) {
  // 4 p is added so that no limb falls below zero.
  Field difference;
  for (int i = 0; i < 5; ++i) difference.limb[i] = a.limb[i] + 4 * (kMask - (i == 0 ? 18 : 0)) - b.limb[i];
  return carried(difference);
}

Field operator*(const Field& a, const Field& b) {
  Wide sum[5] = {};
  for (int i = 0; i < 5; ++i) {
    for (int j = 0; j < 5; ++j) {
      // 2^255 is 19 modulo p.
      const std::uint64_t factor = i + j < 5 ? b.limb[j] : 19 * b.limb[j];
      sum[(i + j) % 5] += static_cast<Wide>(a.limb[i]) * factor;
    }
  }
  Field product;
  Wide carry = 0;
  for (int i = 0; i < 5; ++i) {
    sum[i] += carry;
    product.limb[i] = static_cast<std::uint64_t>(sum[i]) & kMask;
    carry = sum[i] >> 51;
  }
  // The carry is below 2^64 / 19: limbs are below 2^52.
  const Wide low = static_cast<Wide>(product.limb[0]) + carry * 19;
  product.limb[0] = static_cast<std::uint64_t>(low) & kMask;
  product.limb[1] += static_cast<std::uint64_t>(low >> 51);
  return carried(product);
}

Field inverse(const Field& a) {
  return power(a, 255, 21);  // p - 2 = 2^255 - 21
}

Field root_power(const Field& a) {
  return power(a, 252, 3);  // (p - 5) / 8 = 2^252 - 3
}

Field root_of_minus_one() {
  return power(field_of(2), 253, 5);  // 2 to the power (p - 1) / 4 = 2^253 - 5
}

void encode(const Field& a, unsigned char (&bytes)[32]) {
  Field reduced = carried(carried(a));
  // It is below 2^255 now; p is taken off once if adding 19 reaches 2^255.
  std::uint64_t carry = 19;
  for (const std::uint64_t limb : reduced.limb) carry = (limb + carry) >> 51;
  carry *= 19;
  for (std::uint64_t& limb : reduced.limb) {
    limb += carry;
    carry = limb >> 51;
    limb &= kMask;
  }
  for (int byte = 0; byte < 32; ++byte) {
    unsigned value = 0;
    for (int bit = 0; bit < 8; ++bit) {
      const int at = byte * 8 + bit;
      if (at < 255) value |= static_cast<unsigned>((reduced.limb[at / 51] >> (at % 51)) & 1) << bit;
    }
    bytes[byte] = static_cast<unsigned char>(value);
  }
}

bool decode(const unsigned char* bytes, Field& a) {
  a = Field();
  for (int at = 0; at < 255; ++at) {
    const std::uint64_t bit = (bytes[at / 8] >> (at % 8)) & 1;
    a.limb[at / 51] |= bit << (at % 51);
  }
  unsigned char again[32];
  encode(a, again);
  for (int i = 0; i < 31; ++i) {
    if (again[i] != bytes[i]) return false;
  }
  return again[31] == (bytes[31] & 0x7F);
}

bool equal(const Field& a, const Field& b) {
  return is_zero(a - b);
}

bool is_zero(const Field& a) {
  unsigned char bytes[32];
  encode(a, bytes);
  for (const unsigned char byte : bytes) {
    if (byte != 0) return false;
  }
  return true;
}

bool is_odd(const Field& a) {
  unsigned char bytes[32];
  encode(a, bytes);
  return (bytes[0] & 1) != 0;
}

}  // namespace imgforge::verifier
