#include "builder/image/medium/bmap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <span>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kBlockSize = 4096;
constexpr std::uint64_t kLongestRange = (64u << 20) / kBlockSize;
constexpr std::string_view kNoChecksum = "0000000000000000000000000000000000000000000000000000000000000000";

/// Blocks `first` to `last`, both included.
struct BlockRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

std::string sha256_of_blocks(int fd, const fs::path& image, const BlockRange& range, std::uint64_t image_size,
                             const core::CancelToken& cancel) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  const std::uint64_t begin = range.first * kBlockSize;
  const std::uint64_t size = std::min((range.last + 1) * kBlockSize, image_size) - begin;
  const std::uint64_t n =
      core::read_range(fd, image.native(), begin, size, [&](std::span<const std::byte> data) {
        cancel.check();
        hasher.update(data);
      });
  if (n != size) throw Error(Kind::kImage, image.native() + " became shorter while it was read");
  return hasher.finish().hex();
}

/// The blocks outside `unused`, cut so that no range is long.
std::vector<BlockRange> mapped_ranges(std::uint64_t blocks, const std::vector<ByteRange>& unused) {
  std::vector<BlockRange> ranges;
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t first = begin; first < end; first += kLongestRange) {
      ranges.push_back({first, std::min(first + kLongestRange, end) - 1});
    }
  };
  std::uint64_t at = 0;
  for (const ByteRange& gap : unused) {
    const std::uint64_t first = (gap.start + kBlockSize - 1) / kBlockSize;
    const std::uint64_t end = std::min(blocks, (gap.start + gap.size) / kBlockSize);
    if (end <= first) continue;
    add(at, first);
    at = end;
  }
  add(at, blocks);
  return ranges;
}

[[noreturn]] void refuse(const fs::path& bmap, std::string_view why) {
  throw Error(Kind::kImage, fmt::format("{} is not a usable block map: {}", bmap.native(), why));
}

/// Text between <tag ...> and </tag>, trimmed; `at` moves behind it. Only what make_bmap writes needs to be
/// understood.
std::string_view element(std::string_view text, std::string_view tag, std::size_t& at, const fs::path& bmap) {
  const std::size_t open = text.find(fmt::format("<{}", tag), at);
  const std::size_t begin = open == std::string_view::npos ? open : text.find('>', open);
  const std::size_t end =
      begin == std::string_view::npos ? begin : text.find(fmt::format("</{}>", tag), begin);
  if (end == std::string_view::npos) refuse(bmap, fmt::format("it has no {}", tag));
  at = end;
  return core::trimmed(text.substr(begin + 1, end - begin - 1));
}

std::uint64_t number_in(std::string_view text, const fs::path& bmap) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) refuse(bmap, "a number is malformed");
  return value;
}

}  // namespace

std::string make_bmap(const fs::path& image, const std::vector<ByteRange>& unused,
                      const core::CancelToken& cancel) {
  const core::Fd fd = core::open_regular(image);
  const std::uint64_t size = core::file_size(fd.get(), image.native());
  const std::uint64_t blocks = (size + kBlockSize - 1) / kBlockSize;
  std::string rows;
  std::uint64_t mapped = 0;
  for (const BlockRange& range : mapped_ranges(blocks, unused)) {
    mapped += range.last - range.first + 1;
    const std::string name = range.first == range.last ? fmt::format("{}", range.first)
                                                       : fmt::format("{}-{}", range.first, range.last);
    rows += fmt::format("        <Range chksum=\"{}\"> {} </Range>\n",
                        sha256_of_blocks(fd.get(), image, range, size, cancel), name);
  }
  const auto document = [&](std::string_view checksum) {
    return fmt::format(
        "<?xml version=\"1.0\" ?>\n"
        "<bmap version=\"2.0\">\n"
        "    <ImageSize> {} </ImageSize>\n"
        "    <BlockSize> {} </BlockSize>\n"
        "    <BlocksCount> {} </BlocksCount>\n"
        "    <MappedBlocksCount> {} </MappedBlocksCount>\n"
        "    <ChecksumType> sha256 </ChecksumType>\n"
        "    <BmapFileChecksum> {} </BmapFileChecksum>\n"
        "    <BlockMap>\n{}    </BlockMap>\n"
        "</bmap>\n",
        size, kBlockSize, blocks, mapped, checksum, rows);
  };
  // The checksum of the file itself is taken with its own place full of zeros.
  return document(core::digest_of(core::HashAlgorithm::kSha256, document(kNoChecksum)).hex());
}

std::uint64_t check_bmap(const fs::path& bmap, const fs::path& image, const core::CancelToken& cancel) {
  std::string text = core::read_text_file(bmap, 64u << 20);
  const core::Fd fd = core::open_regular(image);
  const std::uint64_t size = core::file_size(fd.get(), image.native());
  std::size_t at = 0;
  if (number_in(element(text, "ImageSize", at, bmap), bmap) != size) {
    refuse(bmap, "it belongs to an image of another size");
  }
  if (number_in(element(text, "BlockSize", at, bmap), bmap) != kBlockSize)
    refuse(bmap, "its blocks are not 4096 bytes");
  const std::uint64_t blocks = number_in(element(text, "BlocksCount", at, bmap), bmap);
  const std::uint64_t mapped = number_in(element(text, "MappedBlocksCount", at, bmap), bmap);
  const std::string own(element(text, "BmapFileChecksum", at, bmap));
  std::string blank = text;
  if (own.size() != kNoChecksum.size()) refuse(bmap, "its own checksum is malformed");
  blank.replace(blank.find(own), own.size(), kNoChecksum);
  if (core::digest_of(core::HashAlgorithm::kSha256, blank).hex() != own)
    refuse(bmap, "its own checksum is wrong");

  std::uint64_t seen = 0;
  while (text.find("<Range", at) != std::string::npos) {
    constexpr std::string_view kAttribute = "<Range chksum=\"";
    const std::size_t start = text.find(kAttribute, at);
    if (start == std::string::npos) refuse(bmap, "a range has no checksum");
    const std::string wanted = text.substr(start + kAttribute.size(), kNoChecksum.size());
    const std::string_view words = element(text, "Range", at, bmap);
    const std::size_t dash = words.find('-');
    const std::uint64_t first = number_in(words.substr(0, dash), bmap);
    const BlockRange range{first,
                           dash == std::string_view::npos ? first : number_in(words.substr(dash + 1), bmap)};
    if (range.last < range.first || range.last >= blocks) refuse(bmap, "a range is outside the image");
    if (sha256_of_blocks(fd.get(), image, range, size, cancel) != wanted) {
      throw Error(Kind::kImage, fmt::format("{}: blocks {} to {} are not what the block map says",
                                            image.native(), range.first, range.last));
    }
    seen += range.last - range.first + 1;
  }
  if (seen != mapped) refuse(bmap, "its ranges do not add up");
  return mapped;
}

}  // namespace imgforge::image
