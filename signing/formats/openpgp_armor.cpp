#include "signing/formats/openpgp_armor.hpp"

#include <array>
#include <cstdint>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

using core::Error;

Error malformed(const std::string& why) {
  return std::move(
      Error(core::Kind::kSignature, "malformed OpenPGP file: " + why).reason(core::Reason::kMalformed));
}

/// RFC 4880, 6.1.
std::uint32_t crc24(std::string_view bytes) {
  constexpr std::uint32_t kStart = 0xb704ce, kPolynomial = 0x1864cfb, kOverflow = 0x1000000;
  std::uint32_t crc = kStart;
  for (const char c : bytes) {
    crc ^= static_cast<std::uint32_t>(static_cast<unsigned char>(c)) << 16;
    for (int bit = 0; bit < 8; ++bit) {
      crc <<= 1;
      if ((crc & kOverflow) != 0) crc ^= kPolynomial;
    }
  }
  return crc & (kOverflow - 1);
}

std::string decoded(std::string_view base64) {
  try {
    return std::string(text_of(core::from_base64(base64)));
  } catch (const Error&) {
    throw malformed("not base64");
  }
}

/// Big-endian number of `size` bytes, taken from the front.
std::size_t take_number(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) throw malformed("a packet ends too early");
  std::size_t value = 0;
  for (const char c : bytes.substr(0, size)) value = (value << 8) | static_cast<unsigned char>(c);
  bytes.remove_prefix(size);
  return value;
}

/// Length of a packet of the newer form.
std::size_t take_new_length(std::string_view& bytes) {
  constexpr std::size_t kTwoBytes = 192, kPartial = 224, kFourBytes = 255;
  const std::size_t first = take_number(bytes, 1);
  if (first < kTwoBytes) return first;
  if (first < kPartial) return ((first - kTwoBytes) << 8) + take_number(bytes, 1) + kTwoBytes;
  if (first < kFourBytes) throw malformed("a packet in parts");
  return take_number(bytes, 4);
}

}  // namespace

std::string openpgp_unarmoured(std::string_view text, std::string_view block) {
  const std::string begin = "-----BEGIN PGP " + std::string(block) + "-----";
  const std::string end = "-----END PGP " + std::string(block) + "-----";
  std::vector<std::string> lines = core::split(core::trimmed(text), '\n');
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
  }
  if (lines.size() < 4 || lines.front() != begin || lines.back() != end)
    throw malformed("one armoured " + std::string(block) + " and nothing else is expected");
  std::size_t at = 1;
  while (at < lines.size() && !lines[at].empty()) {  // headers, which say nothing
    if (lines[at].find(": ") == std::string::npos) throw malformed("no empty line after the headers");
    ++at;
  }
  std::string base64;
  std::string checksum;
  for (++at; at + 1 < lines.size(); ++at) {
    if (!checksum.empty() || lines[at].empty()) throw malformed("more behind its end");
    if (lines[at].starts_with('=')) {
      checksum = lines[at].substr(1);
    } else {
      base64 += lines[at];
    }
  }
  std::string bytes = decoded(base64);
  if (!checksum.empty()) {
    const std::string expected = decoded(checksum);
    std::string_view rest(expected);
    if (expected.size() != 3 || take_number(rest, 3) != crc24(bytes)) throw malformed("another checksum");
  }
  if (bytes.empty()) throw malformed("it is empty");
  return bytes;
}

std::vector<OpenPgpPacket> openpgp_packets(std::string_view bytes) {
  constexpr unsigned kAlwaysSet = 0x80, kNewForm = 0x40;
  std::vector<OpenPgpPacket> packets;
  while (!bytes.empty()) {
    const unsigned head = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if ((head & kAlwaysSet) == 0) throw malformed("no packet where one is expected");
    OpenPgpPacket packet;
    std::size_t length = 0;
    if ((head & kNewForm) != 0) {
      packet.tag = head & 0x3f;
      length = take_new_length(bytes);
    } else {
      packet.tag = (head >> 2) & 0xf;
      if ((head & 3) == 3) throw malformed("a packet without length");
      length = take_number(bytes, std::size_t{1} << (head & 3));
    }
    if (length > bytes.size()) throw malformed("a packet ends too early");
    packet.body = bytes.substr(0, length);
    bytes.remove_prefix(length);
    packets.push_back(packet);
  }
  return packets;
}

}  // namespace imgforge::signing
