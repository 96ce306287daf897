#include "builder/fetch/adb/adb_stream.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr int kRawDeflate = -MAX_WBITS;
constexpr std::size_t kMagicSize = 4;

core::Error broken(std::string_view name, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", name, why));
}

core::Error damaged(std::string_view name, std::string_view why) {
  return core::Error(core::Kind::kIntegrity,
                     fmt::format("{}: its compressed data is damaged: {}", name, core::escaped(why, 80)));
}

}  // namespace

class AdbStream::Unpacker {
 public:
  virtual ~Unpacker() = default;
  /// At least one byte; 0 at an end that was found whole.
  virtual std::size_t read(std::span<std::byte> buffer) = 0;
};

class AdbStream::Plain : public AdbStream::Unpacker {
 public:
  /// `first`: bytes that were taken from the input already.
  Plain(core::SourceBuffer& input, std::string first) : input_(input), first_(std::move(first)) {}
  std::size_t read(std::span<std::byte> buffer) override {
    if (!first_.empty()) {
      const std::size_t count = std::min(buffer.size(), first_.size());
      std::memcpy(buffer.data(), first_.data(), count);
      first_.erase(0, count);
      return count;
    }
    const std::span<const std::byte> bytes = input_.pending();
    const std::size_t count = std::min(buffer.size(), bytes.size());
    if (count > 0) std::memcpy(buffer.data(), bytes.data(), count);
    input_.take(count);
    return count;
  }

 private:
  core::SourceBuffer& input_;
  std::string first_;
};

class AdbStream::Inflate : public AdbStream::Unpacker {
 public:
  Inflate(core::SourceBuffer& input, std::string_view name) : input_(input), name_(name) {
    if (inflateInit2(&stream_, kRawDeflate) != Z_OK)
      throw core::Error(core::Kind::kInternal, "zlib cannot start");
  }
  ~Inflate() override { inflateEnd(&stream_); }
  Inflate(const Inflate&) = delete;
  Inflate& operator=(const Inflate&) = delete;

  std::size_t read(std::span<std::byte> buffer) override {
    while (!ended_) {
      const std::span<const std::byte> in = input_.pending();
      // zlib's interface lacks const; it does not write through next_in.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
      stream_.avail_in = static_cast<uInt>(in.size());
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        throw damaged(name_, stream_.msg == nullptr ? "unusable data" : stream_.msg);
      input_.take(in.size() - stream_.avail_in);
      if (code == Z_STREAM_END) {
        ended_ = true;
        if (!input_.pending().empty()) throw broken(name_, "bytes after the compressed data");
      }
      const std::size_t made = buffer.size() - stream_.avail_out;
      if (made > 0) return made;
      if (!ended_ && in.empty()) throw broken(name_, "cut off inside the compressed data");
    }
    return 0;
  }

 private:
  core::SourceBuffer& input_;
  std::string_view name_;
  z_stream stream_{};
  bool ended_ = false;
};

class AdbStream::Zstd : public AdbStream::Unpacker {
 public:
  Zstd(core::SourceBuffer& input, std::string_view name)
      : input_(input), name_(name), context_(ZSTD_createDCtx()) {
    if (!context_) throw core::Error(core::Kind::kInternal, "zstd cannot start");
  }
  std::size_t read(std::span<std::byte> buffer) override {
    while (!ended_) {
      const std::span<const std::byte> in = input_.pending();
      ZSTD_inBuffer source{in.data(), in.size(), 0};
      ZSTD_outBuffer target{buffer.data(), buffer.size(), 0};
      const std::size_t code = ZSTD_decompressStream(context_.get(), &target, &source);
      if (ZSTD_isError(code) != 0) throw refused(code);
      input_.take(source.pos);
      if (code == 0) {
        ended_ = true;
        if (!input_.pending().empty()) throw broken(name_, "bytes after the compressed data");
      }
      if (target.pos > 0) return target.pos;
      if (!ended_ && in.empty()) throw broken(name_, "cut off inside the compressed data");
    }
    return 0;
  }

 private:
  core::Error refused(std::size_t code) const {
    if (ZSTD_getErrorCode(code) == ZSTD_error_frameParameter_windowTooLarge)
      return core::Error(core::Kind::kUnsafe, fmt::format("{}: unpacking needs too much memory", name_));
    return damaged(name_, ZSTD_getErrorName(code));
  }

  core::SourceBuffer& input_;
  std::string_view name_;
  core::Handle<&ZSTD_freeDCtx> context_;
  bool ended_ = false;
};

bool is_apk_v3(std::string_view bytes) {
  return bytes.starts_with("ADB.") || bytes.starts_with("ADBd") || bytes.starts_with("ADBc");
}

AdbStream::AdbStream(AdbSource source, std::string name, std::uint64_t limit)
    : name_(std::move(name)),
      left_(limit),
      limit_(limit),
      input_(std::make_unique<core::SourceBuffer>(std::move(source))),
      unpacker_(unpacker_of(*input_)) {}

AdbStream::~AdbStream() = default;

std::unique_ptr<AdbStream::Unpacker> AdbStream::unpacker_of(core::SourceBuffer& input) {
  std::string magic = input.take_text(kMagicSize);
  if (!is_apk_v3(magic)) throw broken(name_, "not a file of apk 3");
  if (magic.back() == '.') return std::make_unique<Plain>(input, std::move(magic));
  if (magic.back() == 'd') return std::make_unique<Inflate>(input, name_);
  const std::string method = input.take_text(2);  // algorithm and level
  if (method.size() < 2) throw broken(name_, "cut off in its first bytes");
  switch (method[0]) {
    case 0:
      return std::make_unique<Plain>(input, std::string());
    case 1:
      return std::make_unique<Inflate>(input, name_);
    case 2:
      return std::make_unique<Zstd>(input, name_);
    default:
      throw broken(name_, fmt::format("unknown compression {}", static_cast<unsigned char>(method[0])));
  }
}

std::size_t AdbStream::read(std::span<std::byte> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const std::size_t count = unpacker_->read(buffer.subspan(filled));
    if (count == 0) break;
    if (count > left_)
      throw core::Error(core::Kind::kUnsafe, fmt::format("{}: unpacks to more than {} bytes", name_, limit_));
    left_ -= count;
    filled += count;
  }
  return filled;
}

}  // namespace imgforge::fetch
