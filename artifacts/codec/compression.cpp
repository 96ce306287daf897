#include "artifacts/codec/compression.hpp"

#include <zstd.h>
#include <zstd_errors.h>

#include <functional>
#include <new>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/new_file.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

using Compressor = core::Handle<&ZSTD_freeCCtx>;
using Decompressor = core::Handle<&ZSTD_freeDCtx>;

std::size_t checked(std::size_t result, const std::filesystem::path& file) {
  if (ZSTD_isError(result) == 0) return result;
  const ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
  if (code == ZSTD_error_memory_allocation) throw std::bad_alloc();
  if (code == ZSTD_error_frameParameter_windowTooLarge) {
    throw Error(Kind::kUnsafe, file.native() + " needs a window of more than " +
                                   std::to_string(1 << (kZstdWindowLog - 20)) + " MiB to unpack");
  }
  throw Error(Kind::kArchive, file.native() + ": " + ZSTD_getErrorName(result));
}

using Sink = std::function<void(std::span<const std::byte>)>;

std::uint64_t unpack(const std::filesystem::path& source, core::Bytes limit, const core::CancelToken& cancel,
                     const Sink& sink) {
  const core::Fd fd = core::open_regular(source);
  const Decompressor context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  checked(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLog), source);
  std::vector<std::byte> input(1 << 18);
  std::vector<std::byte> output(1 << 18);
  std::uint64_t total = 0;
  bool frame_ended = false;
  while (const std::size_t n = core::read_some(fd.get(), input, source.native())) {
    cancel.check();
    ZSTD_inBuffer in{input.data(), n, 0};
    bool output_full = false;
    while (in.pos < in.size || output_full) {
      if (frame_ended)
        throw Error(Kind::kArchive, source.native() + ": data after the end of the zstd frame");
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      const std::size_t rest = checked(ZSTD_decompressStream(context.get(), &out, &in), source);
      frame_ended = rest == 0;
      output_full = out.pos == out.size && !frame_ended;
      total += out.pos;
      if (total > limit.value) {
        throw Error(Kind::kUnsafe, source.native() + " unpacks to more than " + limit.to_string());
      }
      sink(std::span<const std::byte>(output.data(), out.pos));
    }
  }
  if (!frame_ended) throw Error(Kind::kArchive, source.native() + ": truncated zstd file");
  return total;
}

}  // namespace

std::uint64_t compress_zstd(const std::filesystem::path& source, const std::filesystem::path& target,
                            int level, LongMode long_mode, const core::CancelToken& cancel) {
  if (level < 1 || level > 19)
    throw Error(Kind::kUsage, "zstd level " + std::to_string(level) + " is not in 1..19");
  const core::Fd fd = core::open_regular(source);
  const std::uint64_t size = core::file_size(fd.get(), source.native());
  const Compressor context(ZSTD_createCCtx());
  if (!context) throw std::bad_alloc();
  const auto set = [&](ZSTD_cParameter parameter, int value) {
    checked(ZSTD_CCtx_setParameter(context.get(), parameter, value), source);
  };
  set(ZSTD_c_compressionLevel, level);
  set(ZSTD_c_checksumFlag, 1);
  if (long_mode == LongMode::kOn) {
    set(ZSTD_c_enableLongDistanceMatching, 1);
    set(ZSTD_c_windowLog, kZstdLongWindowLog);
  }
  checked(ZSTD_CCtx_setPledgedSrcSize(context.get(), size), source);
  core::NewFile file(target);
  std::vector<std::byte> input(1 << 20);
  std::vector<std::byte> output(1 << 20);
  std::uint64_t left = size;
  bool ended = false;
  while (!ended) {
    cancel.check();
    const std::size_t n = core::read_some(fd.get(), input, source.native());
    if (n > left || (n == 0 && left != 0)) {
      throw Error(Kind::kIo, source.native() + " changed its size while it was read");
    }
    left -= n;
    ZSTD_inBuffer in{input.data(), n, 0};
    const ZSTD_EndDirective directive = n == 0 ? ZSTD_e_end : ZSTD_e_continue;
    bool more = true;
    while (more) {
      ZSTD_outBuffer out{output.data(), output.size(), 0};
      const std::size_t rest = checked(ZSTD_compressStream2(context.get(), &out, &in, directive), source);
      file.write(std::span<const std::byte>(output.data(), out.pos));
      more = directive == ZSTD_e_end ? rest != 0 : in.pos < in.size;
    }
    ended = directive == ZSTD_e_end;
  }
  file.commit();
  return file.size();
}

std::uint64_t decompress_zstd(const std::filesystem::path& source, const std::filesystem::path& target,
                              core::Bytes limit, const core::CancelToken& cancel) {
  core::NewFile file(target);
  const std::uint64_t size =
      unpack(source, limit, cancel, [&](std::span<const std::byte> data) { file.write_sparse(data); });
  file.commit();
  return size;
}

std::uint64_t test_zstd(const std::filesystem::path& source, core::Bytes limit,
                        const core::CancelToken& cancel) {
  return unpack(source, limit, cancel, [](std::span<const std::byte>) {});
}

UnpackedDigest digest_zstd(const std::filesystem::path& source, core::Bytes limit,
                           const core::CancelToken& cancel) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  const std::uint64_t size =
      unpack(source, limit, cancel, [&](std::span<const std::byte> data) { hasher.update(data); });
  return {size, hasher.finish()};
}

}  // namespace imgforge::artifacts
