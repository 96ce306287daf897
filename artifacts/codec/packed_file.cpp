#include "artifacts/codec/packed_file.hpp"

#include <lzma.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "artifacts/codec/compression.hpp"
#include "artifacts/codec/unpack_stream.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/new_file.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kBlock = 1 << 20;
constexpr int kZstdLevel = 3;
constexpr std::uint32_t kXzPreset = 6;
constexpr std::uint64_t kNoRatio = ~std::uint64_t{0};  // the size is bounded instead

int cores() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

/// Takes all of `source` in pieces: `step(data, last)` packs one and writes what comes out.
template <class Step>
void feed(const fs::path& source, const core::CancelToken& cancel, Step&& step) {
  const core::Fd fd = core::open_regular(source, core::FollowLinks::kNo);
  std::vector<std::byte> input(kBlock);
  while (true) {
    cancel.check();
    const std::size_t n = core::read_some(fd.get(), input, source.native());
    step(std::span<const std::byte>(input.data(), n), n == 0);
    if (n == 0) return;
  }
}

void pack_zstd(const fs::path& source, core::NewFile& target, const core::CancelToken& cancel) {
  const core::Handle<&ZSTD_freeCCtx> context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const auto checked = [&](std::size_t result) {
    if (ZSTD_isError(result) == 0) return result;
    throw Error(Kind::kArchive, source.native() + " cannot be packed: " + ZSTD_getErrorName(result));
  };
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(context.get(), parameter, value));
  };
  set(ZSTD_c_compressionLevel, kZstdLevel);
  set(ZSTD_c_checksumFlag, 1);
  set(ZSTD_c_enableLongDistanceMatching, 1);
  set(ZSTD_c_windowLog, kZstdLongWindowLog);
  // A library without threads refuses this one: then one core does it all.
  static_cast<void>(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_nbWorkers, cores()));
  std::vector<std::byte> output(kBlock);
  feed(source, cancel, [&](std::span<const std::byte> data, bool last) {
    ZSTD_inBuffer in{data.data(), data.size(), 0};
    bool more = true;
    while (more) {
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      const std::size_t rest =
          checked(ZSTD_compressStream2(context.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue));
      target.write(std::span<const std::byte>(output.data(), out.pos));
      more = last ? rest != 0 : in.pos < in.size;
    }
  });
}

void pack_xz(const fs::path& source, core::NewFile& target, const core::CancelToken& cancel) {
  lzma_stream stream = LZMA_STREAM_INIT;
  const core::Handle<&lzma_end> guard(&stream);
  lzma_mt options{};
  options.threads = static_cast<std::uint32_t>(cores());
  options.preset = kXzPreset;
  options.check = LZMA_CHECK_CRC64;
  if (lzma_stream_encoder_mt(&stream, &options) != LZMA_OK) throw std::bad_alloc();
  std::vector<std::byte> output(kBlock);
  feed(source, cancel, [&](std::span<const std::byte> data, bool last) {
    stream.next_in = reinterpret_cast<const std::uint8_t*>(data.data());
    stream.avail_in = data.size();
    lzma_ret code = LZMA_OK;
    do {
      stream.next_out = reinterpret_cast<std::uint8_t*>(output.data());
      stream.avail_out = output.size();
      code = lzma_code(&stream, last ? LZMA_FINISH : LZMA_RUN);
      if (code == LZMA_MEM_ERROR) throw std::bad_alloc();
      if (code != LZMA_OK && code != LZMA_STREAM_END)
        throw Error(Kind::kArchive, source.native() + " cannot be packed by xz");
      target.write(std::span<const std::byte>(output.data(), output.size() - stream.avail_out));
    } while (last ? code != LZMA_STREAM_END : stream.avail_in != 0);
  });
}

bool is_regular(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::regular;
}

}  // namespace

std::string_view packing_suffix(Packing packing) {
  return packing == Packing::kZstd ? ".zst" : ".xz";
}

std::uint64_t pack_file(const fs::path& source, const fs::path& target, Packing packing,
                        const core::CancelToken& cancel) {
  core::NewFile file(target);
  packing == Packing::kZstd ? pack_zstd(source, file, cancel) : pack_xz(source, file, cancel);
  file.commit();
  return file.size();
}

void read_unpacked(const fs::path& source, std::uint64_t limit,
                   const std::function<void(std::span<const std::byte>)>& sink) {
  const core::Fd fd = core::open_regular(source, core::FollowLinks::kNo);
  UnpackStream stream(fd.get(), source.native(), kNoRatio);
  std::vector<std::byte> buffer(kBlock / 4);
  while (const std::size_t n = stream.read_full(buffer)) {
    if (stream.offset() > limit)
      throw Error(Kind::kUnsafe,
                  source.native() + " unpacks to more than " + std::to_string(limit) + " bytes");
    sink(std::span<const std::byte>(buffer.data(), n));
  }
}

void unpack_file(const fs::path& source, const fs::path& target, std::uint64_t limit,
                 const core::CancelToken& cancel) {
  core::NewFile file(target);
  read_unpacked(source, limit, [&](std::span<const std::byte> data) {
    cancel.check();
    file.write_sparse(data);
  });
  file.commit();
}

fs::path stored_path(const fs::path& directory, const std::string& file) {
  fs::path own = directory / file;
  const bool in_releases = directory.parent_path().parent_path().filename() == "releases";
  std::error_code error;
  if (in_releases || fs::symlink_status(own, error).type() != fs::file_type::not_found) return own;
  for (const Packing packing : {Packing::kZstd, Packing::kXz}) {
    fs::path packed = own.native() + std::string(packing_suffix(packing));
    if (is_regular(packed)) return packed;
  }
  return own;
}

bool is_packed(const fs::path& path, const std::string& file) {
  return path.filename() != file;
}

}  // namespace imgforge::artifacts
