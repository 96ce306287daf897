#include "builder/image/disk/foreign/foreign_identifiers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::image {
namespace {

using Guid = std::array<std::uint8_t, 16>;

/// Bytes of a file, read and written in place.
class Patch {
 public:
  explicit Patch(const std::filesystem::path& file)
      : name_(file.native()), fd_(core::open_file(file, O_RDWR)) {}

  std::vector<std::uint8_t> read(std::uint64_t offset, std::size_t size) const {
    std::vector<std::uint8_t> bytes(size);
    if (::pread(fd_.get(), bytes.data(), size, static_cast<off_t>(offset)) != static_cast<ssize_t>(size)) {
      throw malformed();
    }
    return bytes;
  }
  void write(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    if (::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      throw core::system_error(errno, "cannot write", name_);
    }
  }
  core::Error malformed() const { return {core::Kind::kImage, name_ + " is not as qemu-img writes it"}; }
  void close() { fd_.close(name_); }

 private:
  std::string name_;
  core::Fd fd_;
};

std::uint64_t little_endian(std::span<const std::uint8_t> bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) value = value << 8 | bytes[offset + i];
  return value;
}

/// Random-looking bytes that a name always gives.
Guid derived_guid(const std::string& name) {
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, name);
  Guid guid{};
  std::copy_n(digest.bytes().begin(), guid.size(), guid.begin());
  return guid;
}

/// CRC-32C (Castagnoli), as the headers of VHDX want it.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return ~crc;
}

constexpr Guid kMetadataRegion{0x06, 0xA2, 0x7C, 0x8B, 0x90, 0x47, 0x9A, 0x4B,
                               0xB8, 0xFE, 0x57, 0x5F, 0x05, 0x0F, 0x88, 0x6E};
constexpr Guid kPage83Item{0xAB, 0x12, 0xCA, 0xBE, 0xE6, 0xB2, 0x23, 0x45,
                           0x93, 0xEF, 0xC3, 0x09, 0xE0, 0x00, 0xC7, 0x46};

bool holds(std::span<const std::uint8_t> bytes, std::size_t offset, const Guid& guid) {
  return std::memcmp(bytes.data() + offset, guid.data(), guid.size()) == 0;
}

void set_vhdx_headers(Patch& patch, const std::string& name) {
  constexpr std::size_t kHeaderSize = 4096;
  constexpr std::uint64_t kLongestLog = 64 << 20;
  std::uint8_t sequence = 0;
  for (const std::uint64_t offset : {std::uint64_t{64} << 10, std::uint64_t{128} << 10}) {
    std::vector<std::uint8_t> header = patch.read(offset, kHeaderSize);
    if (std::memcmp(header.data(), "head", 4) != 0) throw patch.malformed();
    const Guid file_write = derived_guid(name + " file write");
    const Guid data_write = derived_guid(name + " data write");
    std::copy(file_write.begin(), file_write.end(), header.begin() + 16);
    std::copy(data_write.begin(), data_write.end(), header.begin() + 32);
    // The header with the higher number counts. qemu-img begins with a random one; both say the same.
    std::memset(header.data() + 8, 0, 8);
    header[8] = ++sequence;
    std::memset(header.data() + 4, 0, 4);
    const std::uint32_t sum = crc32c(header);
    for (int i = 0; i < 4; ++i)
      header[static_cast<std::size_t>(4 + i)] = static_cast<std::uint8_t>(sum >> 8 * i);
    // A log GUID of zero says that the log is empty, so what stands in it means nothing.
    if (!holds(header, 48, Guid{})) throw patch.malformed();
    const std::uint64_t length = little_endian(header, 68, 4);
    if (length > kLongestLog) throw patch.malformed();
    patch.write(little_endian(header, 72, 8), std::vector<std::uint8_t>(length, 0));
    patch.write(offset, header);
  }
}

}  // namespace

/// qemu-img writes the random number without leading zeros, so the text behind it may have to move.
void set_vmdk_identifiers(const std::filesystem::path& file, const std::string& name) {
  constexpr std::string_view kField = "CID=";
  constexpr std::uint64_t kLargestDescriptor = 1 << 20;
  Patch patch(file);
  const std::vector<std::uint8_t> header = patch.read(0, 512);
  const std::uint64_t descriptor = little_endian(header, 28, 8) * 512;
  const std::uint64_t size = little_endian(header, 36, 8) * 512;
  if (size == 0 || size > kLargestDescriptor) throw patch.malformed();
  const std::vector<std::uint8_t> bytes = patch.read(descriptor, size);
  std::string text(bytes.begin(), bytes.end());
  const std::size_t at = text.find(kField);
  const std::size_t end = text.find('\n', at);
  if (at == std::string::npos || end == std::string::npos) throw patch.malformed();
  const std::string id = core::digest_of(core::HashAlgorithm::kSha256, name).hex().substr(0, 8);
  text.replace(at + kField.size(), end - at - kField.size(), id);
  if (text.size() > size && text.find_first_not_of('\0', size) != std::string::npos) throw patch.malformed();
  text.resize(size, '\0');
  patch.write(descriptor, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  patch.close();
}

void set_vhdx_identifiers(const std::filesystem::path& file, const std::string& name) {
  constexpr std::uint64_t kRegionTable = 192 << 10;
  Patch patch(file);
  set_vhdx_headers(patch, name);
  const std::vector<std::uint8_t> regions = patch.read(kRegionTable, 64 << 10);
  std::uint64_t metadata = 0;
  const std::uint64_t count = little_endian(regions, 8, 4);
  for (std::size_t i = 0; i < count && i < 2047; ++i) {
    if (holds(regions, 16 + 32 * i, kMetadataRegion)) metadata = little_endian(regions, 32 + 32 * i, 8);
  }
  if (metadata == 0) throw patch.malformed();
  const std::vector<std::uint8_t> table = patch.read(metadata, 64 << 10);
  const std::uint64_t items = little_endian(table, 10, 2);
  for (std::size_t i = 0; i < items && i < 2047; ++i) {
    if (holds(table, 32 + 32 * i, kPage83Item)) {
      patch.write(metadata + little_endian(table, 48 + 32 * i, 4), derived_guid(name + " page 83"));
    }
  }
  patch.close();
}

void set_vdi_identifiers(const std::filesystem::path& file, const std::string& name) {
  constexpr std::uint64_t kImageId = 0x188;
  constexpr std::uint64_t kSnapshotId = 0x198;
  Patch patch(file);
  patch.write(kImageId, derived_guid(name + " image"));
  patch.write(kSnapshotId, derived_guid(name + " snapshot"));
  patch.close();
}

}  // namespace imgforge::image
