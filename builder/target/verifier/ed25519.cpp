#include "builder/target/verifier/ed25519.hpp"

#include <cstdint>

#include "builder/target/verifier/field.hpp"

namespace imgforge::verifier {
namespace {

/// A point of -x^2 + y^2 = 1 + d x^2 y^2 as x = X/Z, y = Y/Z, x y = T/Z.
struct Point {
  Field x, y, z, t;
};

/// The order of the base point, lowest limb first: 2^252 + 27742317777372353535851937790883648493.
constexpr std::uint64_t kOrder[4] = {0x5812631a5cf5d3ed, 0x14def9dea2f79cd6, 0, 0x1000000000000000};

struct Curve {
  Field d;
  Field root;  ///< of -1
  Point base;
};

Point neutral() {
  return {Field(), field_of(1), field_of(1), Field()};
}

/// Good for every pair of points of the curve, equal ones too.
Point add(const Curve& curve, const Point& p, const Point& q) {
  const Field a = (p.y - p.x) * (q.y - q.x);
  const Field b = (p.y + p.x) * (q.y + q.x);
  const Field c = p.t * q.t * (curve.d + curve.d);
  const Field d = (p.z + p.z) * q.z;
  const Field e = b - a, f = d - c, g = d + c, h = b + a;
  return {e * f, g * h, f * g, e * h};
}

/// The point with this y whose x is odd as asked. False when there is none.
bool from_y(const Curve& curve, const Field& y, bool odd, Point& point) {
  const Field square = y * y;
  const Field u = square - field_of(1);
  const Field v = curve.d * square + field_of(1);
  const Field v3 = v * v * v;
  Field x = u * v3 * root_power(u * v3 * v3 * v);
  const Field found = v * x * x;
  if (!equal(found, u)) {
    if (!equal(found, Field() - u)) return false;
    x = x * curve.root;
  }
  if (is_zero(x) && odd) return false;
  if (is_odd(x) != odd) x = Field() - x;
  point = {x, y, field_of(1), x * y};
  return true;
}

Curve make_curve() {
  Curve curve;
  curve.d = Field() - field_of(121665) * inverse(field_of(121666));
  curve.root = root_of_minus_one();
  from_y(curve, field_of(4) * inverse(field_of(5)), false, curve.base);
  return curve;
}

struct Scalar {
  std::uint64_t limb[4] = {};
  bool bit(int at) const { return ((limb[at / 64] >> (at % 64)) & 1) != 0; }
};

bool below_order(const Scalar& a) {
  for (int i = 3; i >= 0; --i) {
    if (a.limb[i] != kOrder[i]) return a.limb[i] < kOrder[i];
  }
  return false;
}

Scalar scalar_of(const unsigned char* bytes) {
  Scalar a;
  for (int i = 0; i < 32; ++i) a.limb[i / 8] |= std::uint64_t{bytes[i]} << (8 * (i % 8));
  return a;
}

/// The number of 64 bytes modulo the order, bit by bit.
Scalar reduced(const unsigned char (&bytes)[64]) {
  Scalar a;
  for (int at = 511; at >= 0; --at) {
    std::uint64_t carry = (bytes[at / 8] >> (at % 8)) & 1;
    for (std::uint64_t& limb : a.limb) {
      const std::uint64_t high = limb >> 63;
      limb = (limb << 1) | carry;
      carry = high;
    }
    if (below_order(a)) continue;
    std::uint64_t borrow = 0;
    for (int i = 0; i < 4; ++i) {
      const std::uint64_t before = a.limb[i];
      a.limb[i] = before - kOrder[i] - borrow;
      borrow = before < kOrder[i] || (before == kOrder[i] && borrow != 0) ? 1 : 0;
    }
  }
  return a;
}

/// a P + b Q
Point combine(const Curve& curve, const Scalar& a, const Point& p, const Scalar& b, const Point& q) {
  Point sum = neutral();
  for (int at = 255; at >= 0; --at) {
    sum = add(curve, sum, sum);
    if (a.bit(at)) sum = add(curve, sum, p);
    if (b.bit(at)) sum = add(curve, sum, q);
  }
  return sum;
}

bool has_small_order(const Curve& curve, const Point& p) {
  const Point two = add(curve, p, p);
  const Point four = add(curve, two, two);
  return is_zero(add(curve, four, four).x);
}

}  // namespace

bool verify(const unsigned char* public_key, const unsigned char* message, std::size_t size,
            const unsigned char* signature) {
  const Curve curve = make_curve();
  Field y;
  Point key;
  if (!decode(public_key, y) || !from_y(curve, y, (public_key[31] & 0x80) != 0, key)) return false;
  if (has_small_order(curve, key)) return false;
  const Scalar s = scalar_of(signature + 32);
  if (!below_order(s)) return false;
  const Piece pieces[] = {{signature, 32}, {public_key, 32}, {message, size}};
  unsigned char digest[64];
  sha512(pieces, 3, digest);
  // R = s B - h A
  const Point minus_key{Field() - key.x, key.y, key.z, Field() - key.t};
  const Point r = combine(curve, s, curve.base, reduced(digest), minus_key);
  const Field scale = inverse(r.z);
  unsigned char bytes[32];
  encode(r.y * scale, bytes);
  if (is_odd(r.x * scale)) bytes[31] |= 0x80;
  for (int i = 0; i < 32; ++i) {
    if (bytes[i] != signature[i]) return false;
  }
  return true;
}

}  // namespace imgforge::verifier
