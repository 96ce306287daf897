#include "artifacts/unpack_stream.hpp"

#include <archive.h>
#include <lzma.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string_view>
#include <vector>

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kBufferSize = 1 << 18;
constexpr std::uint64_t kRatioFreeBytes = 64ULL << 20;

struct FreeArchive {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

/// Compressed formats with their magic numbers (RFC 1952; xz file format 1.1.0; RFC 8878; bzip2).
struct Filter {
  std::string_view name;
  std::string_view magic;
  int code;
  int (*enable)(archive*);
};
using namespace std::string_view_literals;
const std::array kFilters{
    Filter{"gzip", "\x1f\x8b"sv, ARCHIVE_FILTER_GZIP, archive_read_support_filter_gzip},
    Filter{"xz",
           "\xfd"
           "7zXZ\0"sv,
           ARCHIVE_FILTER_XZ, archive_read_support_filter_xz},
    Filter{"zstd", "\x28\xb5\x2f\xfd"sv, ARCHIVE_FILTER_ZSTD, archive_read_support_filter_zstd},
    Filter{"bzip2", "BZh"sv, ARCHIVE_FILTER_BZIP2, archive_read_support_filter_bzip2},
};

std::uint32_t little_endian_32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

}  // namespace

struct UnpackStream::State {
  State(int descriptor, std::string label, std::uint64_t max_ratio)
      : fd(descriptor), name(std::move(label)), ratio(max_ratio) {}

  int fd;
  std::string name;
  std::uint64_t ratio;

  // Stored side.
  std::vector<std::byte> input = std::vector<std::byte>(kBufferSize);
  std::size_t head_size = 0;  // bytes in `input` that were read to recognise the format
  bool head_given = false;
  std::uint64_t stored = 0;             // bytes read from fd
  std::array<std::byte, 8> tail{};      // the last of them
  std::exception_ptr callback_failure;  // an Error must not fly through C code

  // Unpacked side.
  const Filter* filter = nullptr;
  ArchiveHandle handle;
  std::span<const std::byte> block;  // unpacked by libarchive, not yet handed out
  std::uint64_t unpacked = 0;
  std::uint64_t offset = 0;
  std::uint32_t crc = 0;
  bool ended = false;

  Error damaged(const std::string& why) const {
    return Error(Kind::kArchive, core::escaped(name) + ": " + why);
  }

  std::size_t read_stored() {
    const std::size_t n = core::read_some(fd, input, name);
    note_stored({input.data(), n});
    return n;
  }

  void note_stored(std::span<const std::byte> data) {
    stored += data.size();
    if (data.size() >= tail.size()) {
      std::copy(data.end() - tail.size(), data.end(), tail.begin());
    } else {
      std::rotate(tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(data.size()), tail.end());
      std::copy(data.begin(), data.end(), tail.end() - static_cast<std::ptrdiff_t>(data.size()));
    }
  }

  void read_head() {
    while (head_size < 512) {
      const std::size_t n = core::read_some(fd, std::span(input).subspan(head_size), name);
      if (n == 0) break;
      head_size += n;
    }
    note_stored({input.data(), head_size});
    for (const Filter& candidate : kFilters) {
      if (head_size >= candidate.magic.size() &&
          std::memcmp(input.data(), candidate.magic.data(), candidate.magic.size()) == 0) {
        filter = &candidate;
      }
    }
    if (filter == nullptr) block = {input.data(), head_size};
  }

  static la_ssize_t on_read(archive* handle, void* self, const void** data) {
    auto& state = *static_cast<State*>(self);
    *data = state.input.data();
    if (!std::exchange(state.head_given, true)) return static_cast<la_ssize_t>(state.head_size);
    try {
      return static_cast<la_ssize_t>(state.read_stored());
    } catch (...) {
      state.callback_failure = std::current_exception();
      archive_set_error(handle, EIO, "read failed");
      return ARCHIVE_FATAL;
    }
  }

  void check(int code) {
    if (callback_failure) std::rethrow_exception(callback_failure);
    if (code == ARCHIVE_OK) return;
    const char* text = archive_error_string(handle.get());
    const std::string why = core::escaped(text == nullptr ? "damaged data" : text);
    if (why.find("memory") != std::string::npos) {
      throw Error(Kind::kUnsafe, core::escaped(name) + ": unpacking needs too much memory (" + why + ")");
    }
    throw damaged("cannot unpack the " + std::string(filter->name) + " stream: " + why);
  }

  void open() {
    handle.reset(archive_read_new());
    if (!handle) throw std::bad_alloc();
    check(archive_read_support_format_raw(handle.get()));
    check(filter->enable(handle.get()));
    check(archive_read_open(handle.get(), this, nullptr, on_read, nullptr));
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(handle.get(), &entry);
    if (code == ARCHIVE_EOF) throw damaged("not a tar archive");
    check(code);
    if (archive_filter_code(handle.get(), 0) != filter->code) throw damaged("damaged compressed stream");
    if (archive_filter_count(handle.get()) != 2) throw damaged("compressed more than once");
  }

  /// Makes `block` non-empty unless the stream has ended.
  void fill() {
    if (ended || !block.empty()) return;
    if (filter == nullptr) {
      block = {input.data(), read_stored()};
      ended = block.empty();
      return;
    }
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t position = 0;
    while (size == 0) {
      const int code = archive_read_data_block(handle.get(), &data, &size, &position);
      if (code == ARCHIVE_EOF) {
        check_end();
        ended = true;
        return;
      }
      check(code);
    }
    block = {static_cast<const std::byte*>(data), size};
    unpacked += size;
    if (filter->code == ARCHIVE_FILTER_GZIP) {
      crc = lzma_crc32(static_cast<const std::uint8_t*>(data), size, crc);
    }
    if (unpacked > kRatioFreeBytes && unpacked / ratio > stored) {
      throw Error(Kind::kUnsafe, core::escaped(name) + ": unpacks to more than " + std::to_string(ratio) +
                                     " times its stored size (" + core::Bytes{unpacked}.human() +
                                     " so far); this looks like a decompression bomb");
    }
  }

  void check_end() {
    if (callback_failure) std::rethrow_exception(callback_failure);
    const auto used = static_cast<std::uint64_t>(archive_filter_bytes(handle.get(), -1));
    if (used != stored || read_stored() != 0) {
      throw damaged("data after the end of the " + std::string(filter->name) + " stream");
    }
    // RFC 1952, 2.3.1: the member ends with CRC-32 and size of what was packed. Both are computed over the
    // whole output, so a second member differs too.
    if (filter->code == ARCHIVE_FILTER_GZIP &&
        (little_endian_32(tail.data()) != crc ||
         little_endian_32(tail.data() + 4) != static_cast<std::uint32_t>(unpacked))) {
      throw damaged("the gzip checksum does not match (damaged, or more than one gzip member)");
    }
  }
};

UnpackStream::UnpackStream(int fd, std::string name, std::uint64_t ratio)
    : state_(std::make_unique<State>(fd, std::move(name), ratio)) {
  state_->read_head();
  if (state_->filter != nullptr) state_->open();
}

UnpackStream::~UnpackStream() = default;
UnpackStream::UnpackStream(UnpackStream&&) noexcept = default;

std::size_t UnpackStream::read(std::span<std::byte> buffer) {
  state_->fill();
  const std::size_t n = std::min(buffer.size(), state_->block.size());
  std::copy_n(state_->block.begin(), n, buffer.begin());
  state_->block = state_->block.subspan(n);
  state_->offset += n;
  return n;
}

std::size_t UnpackStream::read_full(std::span<std::byte> buffer) {
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::size_t n = read(buffer.subspan(done));
    if (n == 0) break;
    done += n;
  }
  return done;
}

std::uint64_t UnpackStream::offset() const {
  return state_->offset;
}

}  // namespace imgforge::artifacts
