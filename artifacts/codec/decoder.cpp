#include "artifacts/codec/decoder.hpp"

#include <archive.h>
#include <lzma.h>

#include <cerrno>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/codec/recognise.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kMaxXzMemory = 256ULL << 20;  // xz -9 needs 65 MiB

Error damaged(const StoredInput& input, const std::string& why) {
  return Error(Kind::kArchive, core::escaped(input.name()) + ": " + why);
}

Error too_greedy(const StoredInput& input, const std::string& need) {
  return Error(Kind::kUnsafe,
               core::escaped(input.name()) + ": unpacking needs too much memory (" + need + ")");
}

class PlainDecoder : public Decoder {
 public:
  explicit PlainDecoder(StoredInput& input) : input_(input) {}
  std::span<const std::byte> next() override { return input_.next(); }

 private:
  StoredInput& input_;
};

class XzDecoder : public Decoder {
 public:
  explicit XzDecoder(StoredInput& input) : input_(input), output_(1 << 18) {
    if (lzma_stream_decoder(&stream_, kMaxXzMemory, LZMA_CONCATENATED) != LZMA_OK) throw std::bad_alloc();
  }
  ~XzDecoder() override { lzma_end(&stream_); }
  XzDecoder(const XzDecoder&) = delete;
  XzDecoder& operator=(const XzDecoder&) = delete;

  std::span<const std::byte> next() override {
    stream_.next_out = output_.data();
    stream_.avail_out = output_.size();
    while (!ended_ && stream_.avail_out != 0) {
      if (stream_.avail_in == 0 && !input_ended_) {
        const std::span<const std::byte> block = input_.next();
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(block.data());
        stream_.avail_in = block.size();
        input_ended_ = block.empty();
      }
      check(lzma_code(&stream_, input_ended_ ? LZMA_FINISH : LZMA_RUN));
    }
    return std::as_bytes(std::span(output_.data(), output_.size() - stream_.avail_out));
  }

 private:
  void check(lzma_ret code) {
    switch (code) {
      case LZMA_OK:
        return;
      case LZMA_STREAM_END:
        ended_ = true;
        return;
      case LZMA_MEMLIMIT_ERROR:
        throw too_greedy(input_, std::to_string(lzma_memusage(&stream_) >> 20) + " MiB");
      case LZMA_MEM_ERROR:
        throw std::bad_alloc();
      default:
        throw damaged(input_, "the xz stream is damaged, cut or followed by other data");
    }
  }

  StoredInput& input_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  std::vector<std::uint8_t> output_;
  bool input_ended_ = false;
  bool ended_ = false;
};

/// A format that libarchive unpacks.
struct Filter {
  std::string_view name;
  Content content;
  int code;
  int (*enable)(archive*);
};
constexpr std::array kFilters{
    Filter{"gzip", Content::kGzip, ARCHIVE_FILTER_GZIP, archive_read_support_filter_gzip},
    Filter{"zstd", Content::kZstd, ARCHIVE_FILTER_ZSTD, archive_read_support_filter_zstd},
    Filter{"bzip2", Content::kBzip2, ARCHIVE_FILTER_BZIP2, archive_read_support_filter_bzip2},
};

std::uint32_t little_endian_32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  return value;
}

class LibarchiveDecoder : public Decoder {
 public:
  LibarchiveDecoder(StoredInput& input, const Filter& filter)
      : input_(input), filter_(filter), handle_(archive_read_new()) {
    if (!handle_) throw std::bad_alloc();
    check(archive_read_support_format_raw(handle_.get()));
    check(filter_.enable(handle_.get()));
    check(archive_read_open(handle_.get(), this, nullptr, on_read, nullptr));
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(handle_.get(), &entry);
    empty_ = code == ARCHIVE_EOF;
    if (!empty_) check(code);
    if (archive_filter_code(handle_.get(), 0) != filter_.code) {
      throw damaged(input_, "damaged " + std::string(filter_.name) + " stream");
    }
    if (archive_filter_count(handle_.get()) != 2) throw damaged(input_, "compressed more than once");
  }

  std::span<const std::byte> next() override {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t position = 0;
    while (size == 0 && !empty_) {
      const int code = archive_read_data_block(handle_.get(), &data, &size, &position);
      if (code == ARCHIVE_EOF) break;
      check(code);
    }
    if (size == 0) {
      check_end();
      return {};
    }
    unpacked_ += size;
    if (filter_.code == ARCHIVE_FILTER_GZIP) {
      crc_ = lzma_crc32(static_cast<const std::uint8_t*>(data), size, crc_);
    }
    return {static_cast<const std::byte*>(data), size};
  }

 private:
  static la_ssize_t on_read(archive* handle, void* self, const void** data) {
    auto& decoder = *static_cast<LibarchiveDecoder*>(self);
    try {
      const std::span<const std::byte> block = decoder.input_.next();
      *data = block.data();
      return static_cast<la_ssize_t>(block.size());
    } catch (...) {
      decoder.failure_ = std::current_exception();  // must not fly through C code
      archive_set_error(handle, EIO, "read failed");
      return ARCHIVE_FATAL;
    }
  }

  void check(int code) {
    if (failure_) std::rethrow_exception(failure_);
    if (code == ARCHIVE_OK) return;
    const char* text = archive_error_string(handle_.get());
    const std::string why = core::escaped(text == nullptr ? "damaged data" : text);
    if (why.find("memory") != std::string::npos) throw too_greedy(input_, why);
    throw damaged(input_, "cannot unpack the " + std::string(filter_.name) + " stream: " + why);
  }

  void check_end() {
    if (failure_) std::rethrow_exception(failure_);
    const auto used = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
    if (used != input_.count() || !input_.next().empty()) {
      throw damaged(input_, "data after the end of the " + std::string(filter_.name) + " stream");
    }
    // RFC 1952, 2.3.1: the member ends with CRC-32 and size of what was packed. Both are computed over the
    // whole output, so a second member differs too.
    if (filter_.code == ARCHIVE_FILTER_GZIP &&
        (little_endian_32(input_.tail().data()) != crc_ ||
         little_endian_32(input_.tail().data() + 4) != static_cast<std::uint32_t>(unpacked_))) {
      throw damaged(input_, "the gzip checksum does not match (damaged, or more than one gzip member)");
    }
  }

  StoredInput& input_;
  const Filter& filter_;
  core::Handle<&archive_read_free> handle_;
  std::exception_ptr failure_;
  bool empty_ = false;
  std::uint64_t unpacked_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(StoredInput& input) {
  const std::span<const std::byte> bytes = input.head();
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const Content content = recognise(head, Among::kCompressions);
  if (content == Content::kXz) return std::make_unique<XzDecoder>(input);
  for (const Filter& filter : kFilters) {
    if (filter.content == content) return std::make_unique<LibarchiveDecoder>(input, filter);
  }
  return std::make_unique<PlainDecoder>(input);
}

}  // namespace imgforge::artifacts
