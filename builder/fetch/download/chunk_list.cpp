#include "builder/fetch/download/chunk_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::string_view kHead = "imgforge-chunks 1";
constexpr std::uint64_t kSmallestChunk = 4 << 10;
constexpr std::uint64_t kMostChunks = 1 << 20;

std::optional<std::uint64_t> number_after(std::string_view line, std::string_view word) {
  if (!line.starts_with(word)) return std::nullopt;
  line.remove_prefix(word.size());
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  return error == std::errc() && end == line.data() + line.size() ? std::optional(value) : std::nullopt;
}

core::Error malformed(std::string_view what, std::size_t line, std::string_view wanted) {
  return core::Error(core::Kind::kIntegrity, fmt::format("{}: line {} is not {}", what, line, wanted));
}

std::uint64_t count_of(std::uint64_t size, std::uint64_t chunk) {
  return size / chunk + (size % chunk == 0 ? 0 : 1);
}

/// The sha256 of a range, or nothing when the file ends before.
std::optional<core::Digest> digest_at(int fd, artifacts::ByteRange range, const std::string& name) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  const std::uint64_t n = core::read_range(fd, name, range.begin, range.size(),
                                           [&](std::span<const std::byte> data) { hasher.update(data); });
  if (n != range.size()) return std::nullopt;
  return hasher.finish();
}

}  // namespace

artifacts::ByteRange ChunkList::range_of(std::size_t index) const {
  const std::uint64_t begin = index * chunk;
  return {begin, std::min(begin + chunk, size)};
}

ChunkList parse_chunks(std::string_view text, std::string_view what) {
  std::vector<std::string> lines = core::split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (lines.empty() || lines[0] != kHead) throw malformed(what, 1, kHead);
  ChunkList list;
  const auto size = number_after(lines.size() > 1 ? lines[1] : "", "size ");
  if (!size) throw malformed(what, 2, "a size");
  const auto chunk = number_after(lines.size() > 2 ? lines[2] : "", "chunk ");
  if (!chunk || *chunk < kSmallestChunk) throw malformed(what, 3, "the size of a chunk");
  list.size = *size;
  list.chunk = *chunk;
  const std::uint64_t count = count_of(list.size, list.chunk);
  if (count > kMostChunks || lines.size() - 3 != count) {
    throw core::Error(core::Kind::kIntegrity,
                      fmt::format("{}: {} digests are there, a file of {} bytes has {} chunks", what,
                                  lines.size() - 3, list.size, count));
  }
  for (std::size_t i = 3; i < lines.size(); ++i) {
    try {
      list.digests.push_back(core::Digest::from_hex(core::HashAlgorithm::kSha256, lines[i]));
    } catch (const core::Error&) {
      throw malformed(what, i + 1, "a sha256 of 64 hex digits");
    }
  }
  return list;
}

std::string print_chunks(const ChunkList& list) {
  std::string text = fmt::format("{}\nsize {}\nchunk {}\n", kHead, list.size, list.chunk);
  for (const core::Digest& digest : list.digests) text += digest.hex() + "\n";
  return text;
}

ChunkList make_chunks(const std::filesystem::path& file, std::uint64_t chunk) {
  const core::Fd fd = core::open_regular(file);
  ChunkList list{.size = core::file_size(fd.get(), file.native()), .chunk = chunk};
  for (std::size_t i = 0; i < count_of(list.size, list.chunk); ++i) {
    auto digest = digest_at(fd.get(), list.range_of(i), file.native());
    if (!digest) throw core::Error(core::Kind::kIo, file.native() + " became shorter while it was read");
    list.digests.push_back(std::move(*digest));
  }
  return list;
}

std::vector<artifacts::ByteRange> bad_chunks(const ChunkList& list, int fd, const std::string& name) {
  std::vector<artifacts::ByteRange> bad;
  for (std::size_t i = 0; i < list.digests.size(); ++i) {
    const artifacts::ByteRange range = list.range_of(i);
    if (digest_at(fd, range, name) != list.digests[i]) bad.push_back(range);
  }
  return bad;
}

}  // namespace imgforge::fetch
