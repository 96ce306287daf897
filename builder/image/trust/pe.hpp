// EFI programs are PE/COFF files: where their sections are, the digest that Secure Boot compares, and the
// table at their end that takes signatures (Microsoft PE Format; Windows Authenticode Portable Executable
// Signature Format). Only PE32+ for x86-64.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace imgforge::image {

struct PeSection {
  std::string name;
  std::uint64_t address = 0;  ///< in memory, relative to the image base
  std::uint64_t size = 0;     ///< in memory
  std::uint64_t file_offset = 0;
  std::uint64_t file_size = 0;
};

class PeFile {
 public:
  /// `name` stands in messages. Throws kImage when the bytes are no EFI program for x86-64, or are damaged.
  PeFile(std::string bytes, std::string name);

  const std::string& bytes() const { return bytes_; }
  const std::vector<PeSection>& sections() const { return sections_; }
  std::uint64_t image_base() const { return image_base_; }
  std::uint64_t section_alignment() const { return section_alignment_; }
  bool is_signed() const;

  /// Authenticode digest of an unsigned program: all but the checksum and the place of the signatures, padded
  /// to whole 8 bytes.
  core::Digest authenticode_sha256() const;
  /// The program with a PKCS #7 signature at its end. Throws kImage when there is one already.
  std::string with_signature(std::span<const std::uint8_t> pkcs7) const;

 private:
  std::uint64_t number(std::uint64_t offset, std::size_t size) const;
  void read_sections(std::uint64_t table, std::uint64_t count);

  std::string bytes_;
  std::string name_;
  std::uint64_t optional_header_ = 0;  ///< file offset
  std::uint64_t headers_size_ = 0;
  std::uint64_t image_base_ = 0;
  std::uint64_t section_alignment_ = 0;
  std::vector<PeSection> sections_;
};

}  // namespace imgforge::image
