#include "builder/image/disk/qcow2_bytes.hpp"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kKeptTables = 16;
constexpr std::uint64_t kKeptBytes = 8u << 20;  // of unpacked clusters
constexpr std::uint64_t kOffsetMask = 0x00fffffffffffe00;
constexpr std::uint64_t kCompressed = std::uint64_t{1} << 62;
constexpr std::uint64_t kZero = 1;
constexpr std::uint64_t kSector = 512;

std::uint64_t big(const char* at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

[[noreturn]] void damaged() {
  throw Error(Kind::kImage, "a compressed cluster of the qcow2 image is damaged");
}

/// What is behind the end of the stream belongs to the next one.
void inflate_cluster(const std::string& packed, std::string& out) {
  z_stream stream{};
  if (::inflateInit2(&stream, -12) != Z_OK) throw std::bad_alloc();
  std::string input = packed;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = ::inflate(&stream, Z_FINISH);
  const bool whole = stream.avail_out == 0 && (result == Z_STREAM_END || result == Z_BUF_ERROR);
  ::inflateEnd(&stream);
  if (!whole) damaged();
}

void unpack_zstd_cluster(const std::string& packed, std::string& out) {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
  };
  const std::unique_ptr<ZSTD_DCtx, Free> context(::ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  ZSTD_inBuffer input{packed.data(), packed.size(), 0};
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  while (output.pos < output.size) {
    const std::size_t in_before = input.pos;
    const std::size_t out_before = output.pos;
    if (::ZSTD_isError(::ZSTD_decompressStream(context.get(), &output, &input)) != 0) damaged();
    if (input.pos == in_before && output.pos == out_before) damaged();
  }
}

}  // namespace

Qcow2Bytes::Qcow2Bytes(const ImageBytes& file, const std::string& name)
    : file_(file),
      facts_(read_qcow2_header(file, name)),
      first_table_(file.text(facts_.l1_offset, static_cast<std::size_t>(facts_.l1_bytes))),
      tables_(kKeptTables),
      clusters_(
          static_cast<std::size_t>(std::max<std::uint64_t>(4, kKeptBytes / facts_.cluster_size.value))) {}

/// The entry of the second table for a cluster of the disk; 0: nothing is stored.
std::uint64_t Qcow2Bytes::entry_of(std::uint64_t cluster) const {
  const std::uint64_t per_table = facts_.cluster_size.value / 8;
  const std::uint64_t number = cluster / per_table;
  if (number >= first_table_.size() / 8) throw Error(Kind::kImage, "the qcow2 image has too few tables");
  const std::uint64_t table = big(first_table_.data() + number * 8) & kOffsetMask;
  if (table == 0) return 0;
  Kept& kept = tables_[number % tables_.size()];
  if (kept.number != number) {
    kept.number = UINT64_MAX;
    kept.bytes.resize(static_cast<std::size_t>(facts_.cluster_size.value));
    file_.read(table, std::as_writable_bytes(std::span(kept.bytes)));
    kept.number = number;
  }
  return big(kept.bytes.data() + cluster % per_table * 8);
}

const std::string& Qcow2Bytes::unpacked(std::uint64_t cluster, std::uint64_t entry) const {
  Kept& kept = clusters_[cluster % clusters_.size()];
  if (kept.number == cluster) return kept.bytes;
  kept.number = UINT64_MAX;
  const auto cluster_bits = static_cast<unsigned>(std::countr_zero(facts_.cluster_size.value));
  const unsigned split = 62 - (cluster_bits - 8);
  const std::uint64_t offset = entry & ((std::uint64_t{1} << split) - 1);
  const std::uint64_t sectors = ((entry & (kCompressed - 1)) >> split) + 1;
  const std::uint64_t size = sectors * kSector - offset % kSector;
  // The last cluster of a file need not fill its last sector.
  const std::string packed = file_.text(offset, static_cast<std::size_t>(size));
  kept.bytes.assign(static_cast<std::size_t>(facts_.cluster_size.value), '\0');
  if (facts_.compression_type == ClusterCompression::kZstd) {
    unpack_zstd_cluster(packed, kept.bytes);
  } else {
    inflate_cluster(packed, kept.bytes);
  }
  kept.number = cluster;
  return kept.bytes;
}

void Qcow2Bytes::fill(std::uint64_t offset, std::span<std::byte> buffer) const {
  const std::uint64_t size = facts_.cluster_size.value;
  while (!buffer.empty()) {
    const std::uint64_t cluster = offset / size;
    const std::uint64_t inside = offset % size;
    const auto part =
        buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(size - inside, buffer.size())));
    const std::uint64_t entry = entry_of(cluster);
    if ((entry & kCompressed) != 0) {
      std::memcpy(part.data(), unpacked(cluster, entry).data() + inside, part.size());
    } else if ((entry & kZero) != 0 || (entry & kOffsetMask) == 0) {
      std::fill(part.begin(), part.end(), std::byte{0});
    } else {
      file_.read((entry & kOffsetMask) + inside, part);
    }
    buffer = buffer.subspan(part.size());
    offset += part.size();
  }
}

}  // namespace imgforge::image
