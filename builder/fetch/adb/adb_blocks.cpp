#include "builder/fetch/adb/adb_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "builder/fetch/adb/adb_words.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kAlignment = 8;
constexpr std::uint32_t kExtended = 3;  ///< type bits of a block with the long header
constexpr std::uint32_t kSizeMask = 0x3fffffff;
constexpr std::size_t kShortHeader = 4;
constexpr std::size_t kLongHeader = 16;
constexpr std::size_t kPiece = 1 << 16;

core::Error broken(const AdbStream& stream, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", stream.name(), why));
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

AdbBlocks::AdbBlocks(AdbStream& stream, AdbSchema schema) : stream_(stream) {
  std::array<std::byte, 8> head{};
  read_exactly(head);
  if (!text_of(head).starts_with("ADB.")) throw broken(stream_, "not a file of apk 3");
  if (little_endian_32(text_of(head), 4) != static_cast<std::uint32_t>(schema)) {
    throw broken(stream_, fmt::format("a file of apk 3, but no {}: it is \"{}\"",
                                      schema == AdbSchema::kIndex ? "index" : "package",
                                      core::escaped(text_of(head).substr(4), 20)));
  }
}

std::optional<AdbBlock> AdbBlocks::next() {
  end_block();
  std::array<std::byte, kLongHeader> head{};
  const std::size_t count = stream_.read(std::span(head).first(kShortHeader));
  if (count == 0) {
    if (!before_) throw broken(stream_, "it holds nothing");
    return std::nullopt;
  }
  if (count < kShortHeader) throw broken(stream_, "cut off in the head of a block");
  const std::uint32_t word = little_endian_32(text_of(head), 0);
  const bool extended = word >> 30 == kExtended;
  if (extended) read_exactly(std::span(head).subspan(kShortHeader));
  const std::uint32_t type = extended ? word & kSizeMask : word >> 30;
  const std::uint64_t size = extended ? little_endian_64(text_of(head), 8) : word & kSizeMask;
  const std::size_t header = extended ? kLongHeader : kShortHeader;
  if (type > static_cast<std::uint32_t>(AdbBlock::kData))
    throw broken(stream_, fmt::format("a block of unknown type {}", type));
  if (size < header) throw broken(stream_, "a block smaller than its own head");
  left_ = size - header;
  padding_ = static_cast<std::size_t>((kAlignment - size % kAlignment) % kAlignment);
  const auto block = static_cast<AdbBlock>(type);
  check_order(block);
  before_ = block;
  return block;
}

std::size_t AdbBlocks::read(std::span<std::byte> buffer) {
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left_, buffer.size()));
  read_exactly(buffer.first(want));
  left_ -= want;
  return want;
}

std::string AdbBlocks::read_all(std::uint64_t limit, std::string_view part) {
  if (left_ > limit) {
    throw core::Error(core::Kind::kUnsafe,
                      fmt::format("{}: {} larger than {} bytes", stream_.name(), part, limit));
  }
  // Memory is taken as bytes come: the size may be a lie.
  std::string text;
  while (left_ > 0) {
    const std::size_t begin = text.size();
    text.resize(begin + static_cast<std::size_t>(std::min<std::uint64_t>(left_, kPiece)));
    read(std::as_writable_bytes(std::span(text)).subspan(begin));
  }
  return text;
}

void AdbBlocks::read_exactly(std::span<std::byte> buffer) {
  if (stream_.read(buffer) != buffer.size()) throw broken(stream_, "cut off inside a block");
}

void AdbBlocks::end_block() {
  std::vector<std::byte> piece(std::min<std::uint64_t>(left_, kPiece));
  while (left_ > 0) read(piece);
  std::array<std::byte, kAlignment> zeros{};
  read_exactly(std::span(zeros).first(padding_));
  if (std::any_of(zeros.begin(), zeros.end(), [](std::byte b) { return b != std::byte{0}; }))
    throw broken(stream_, "bytes between two blocks");
  padding_ = 0;
}

void AdbBlocks::check_order(AdbBlock type) {
  const bool good = before_ ? type != AdbBlock::kDatabase && type >= *before_ : type == AdbBlock::kDatabase;
  if (!good) throw broken(stream_, "its blocks are in no proper order");
}

}  // namespace imgforge::fetch
