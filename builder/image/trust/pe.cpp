#include "builder/image/trust/pe.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/image/raw_image.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kPointerToPe = 0x3C;
constexpr std::uint64_t kMachineX64 = 0x8664;
constexpr std::uint64_t kPe32Plus = 0x20B;
constexpr std::uint64_t kSubsystemEfiApplication = 10;
// Offsets in the optional header.
constexpr std::uint64_t kImageBase = 24;
constexpr std::uint64_t kSectionAlignment = 32;
constexpr std::uint64_t kHeadersSize = 60;
constexpr std::uint64_t kChecksum = 64;
constexpr std::uint64_t kSubsystem = 68;
constexpr std::uint64_t kDirectoryCount = 108;
constexpr std::uint64_t kCertificates = 144;  // the fifth data directory: offset and size in the file
constexpr std::uint64_t kSectionHeader = 40;
constexpr std::uint64_t kCertificateHeader = 8;

void put(std::string& bytes, std::uint64_t offset, std::uint32_t value) {
  for (std::size_t i = 0; i < sizeof value; ++i) bytes[offset + i] = static_cast<char>(value >> (8 * i));
}

}  // namespace

PeFile::PeFile(std::string bytes, std::string name) : bytes_(std::move(bytes)), name_(std::move(name)) {
  const auto refuse = [&](const char* why) {
    return Error(Kind::kImage, fmt::format("{} {}", core::escaped(name_), why));
  };
  if (bytes_.size() > 0x7FFFFFFF) throw refuse("is too large for an EFI program");
  if (bytes_.size() < kPointerToPe + 4 || !bytes_.starts_with("MZ")) throw refuse("is no EFI program");
  const std::uint64_t pe = number(kPointerToPe, 4);
  if (number(pe, 4) != 0x4550 || number(pe + 4, 2) != kMachineX64) {
    throw refuse("is no program for x86-64");
  }
  const std::uint64_t optional_size = number(pe + 20, 2);
  optional_header_ = pe + 24;
  if (number(optional_header_, 2) != kPe32Plus || optional_size < kCertificates + 8 ||
      number(optional_header_ + kDirectoryCount, 4) < 5 ||
      number(optional_header_ + kSubsystem, 2) != kSubsystemEfiApplication) {
    throw refuse("is no EFI program");
  }
  image_base_ = number(optional_header_ + kImageBase, 8);
  section_alignment_ = number(optional_header_ + kSectionAlignment, 4);
  headers_size_ = number(optional_header_ + kHeadersSize, 4);
  read_sections(optional_header_ + optional_size, number(pe + 6, 2));
  if (section_alignment_ == 0 || headers_size_ > bytes_.size() ||
      headers_size_ < optional_header_ + kCertificates + 8) {
    throw refuse("is a damaged EFI program");
  }
}

std::uint64_t PeFile::number(std::uint64_t offset, std::size_t size) const {
  if (offset > bytes_.size() || bytes_.size() - offset < size) {
    throw Error(Kind::kImage, fmt::format("{} is a damaged EFI program", core::escaped(name_)));
  }
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes_[offset + i]);
  return value;
}

void PeFile::read_sections(std::uint64_t table, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t at = table + i * kSectionHeader;
    PeSection section;
    section.size = number(at + 8, 4);
    section.address = number(at + 12, 4);
    section.file_size = number(at + 16, 4);
    section.file_offset = number(at + 20, 4);
    section.name = bytes_.substr(at, 8);
    section.name.resize(std::min<std::size_t>(section.name.find('\0'), 8));
    if (section.file_offset + section.file_size > bytes_.size()) {
      throw Error(Kind::kImage, fmt::format("{} is a damaged EFI program: its section {} is cut off",
                                            core::escaped(name_), core::escaped(section.name)));
    }
    sections_.push_back(std::move(section));
  }
}

bool PeFile::is_signed() const {
  return number(optional_header_ + kCertificates, 8) != 0;
}

core::Digest PeFile::authenticode_sha256() const {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  const std::string_view all = bytes_;
  const std::uint64_t checksum = optional_header_ + kChecksum;
  const std::uint64_t certificates = optional_header_ + kCertificates;
  hasher.update(all.substr(0, checksum));
  hasher.update(all.substr(checksum + 4, certificates - checksum - 4));
  hasher.update(all.substr(certificates + 8, headers_size_ - certificates - 8));
  std::vector<PeSection> sorted = sections_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const PeSection& a, const PeSection& b) { return a.file_offset < b.file_offset; });
  std::uint64_t hashed = headers_size_;
  for (const PeSection& section : sorted) {
    if (section.file_size == 0) continue;
    hasher.update(all.substr(section.file_offset, section.file_size));
    hashed += section.file_size;
  }
  // What is left counts from the number of bytes hashed so far, wherever the sections lie.
  if (hashed < all.size()) hasher.update(all.substr(hashed));
  hasher.update(std::string(round_up(all.size(), 8) - all.size(), '\0'));
  return hasher.finish();
}

std::string PeFile::with_signature(std::span<const std::uint8_t> pkcs7) const {
  if (is_signed()) throw Error(Kind::kImage, core::escaped(name_) + " is signed already");
  std::string out = bytes_;
  out.resize(round_up(out.size(), 8), '\0');
  const auto start = static_cast<std::uint32_t>(out.size());
  const auto length = static_cast<std::uint32_t>(kCertificateHeader + pkcs7.size());
  // WIN_CERTIFICATE: length, revision 2.0, type PKCS_SIGNED_DATA.
  out.resize(start + round_up(length, 8), '\0');
  put(out, start, length);
  put(out, start + 4, 0x00020200);
  std::copy(pkcs7.begin(), pkcs7.end(), out.begin() + start + kCertificateHeader);
  put(out, optional_header_ + kCertificates, start);
  put(out, optional_header_ + kCertificates + 4, static_cast<std::uint32_t>(out.size()) - start);
  return out;
}

}  // namespace imgforge::image
