#include "builder/fetch/apk/gzip_members.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::fetch {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;

core::Error broken(std::string_view name, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", name, why));
}

class Inflater {
 public:
  Inflater() {
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK)
      throw core::Error(core::Kind::kInternal, "zlib cannot start");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
};

GzipMember read_member(core::SourceBuffer& input, std::size_t number, std::uint64_t offset,
                       std::uint64_t limit, std::string_view name, const GzipWatcher& watcher) {
  GzipMember member{.offset = offset};
  Inflater inflater;
  z_stream& stream = inflater.stream();
  std::vector<std::byte> out(1 << 17);
  int code = Z_OK;
  bool more_inside = false;  // the output filled up, so zlib may still hold content without new input
  while (code != Z_STREAM_END) {
    const std::span<const std::byte> in = input.pending();
    if (in.empty() && !more_inside)
      throw broken(name, fmt::format("cut off inside gzip member {}", number + 1));
    // zlib's interface lacks const; it does not write through next_in.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    code = inflate(&stream, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
      const std::string detail = stream.msg == nullptr ? "unusable data" : stream.msg;
      if (number > 0 && member.size == 0)
        throw broken(name, "trailing bytes after gzip member " + std::to_string(number));
      // What does not even begin as gzip is another thing, not a changed one.
      if (stream.total_out == 0) throw broken(name, "not gzip: " + detail);
      throw core::Error(core::Kind::kIntegrity,
                        fmt::format("{}: gzip member {} is damaged: {}", name, number + 1, detail));
    }
    more_inside = stream.avail_out == 0;
    const std::size_t used = in.size() - stream.avail_in;
    const std::size_t made = out.size() - stream.avail_out;
    member.size += used;
    member.unpacked += made;
    if (member.unpacked > limit) {
      throw core::Error(core::Kind::kUnsafe, fmt::format("{}: gzip member {} unpacks to more than {} bytes",
                                                         name, number + 1, limit));
    }
    watcher(number, in.first(used), std::span(out).first(made));
    input.take(used);
  }
  return member;
}

}  // namespace

GzipSource gzip_source(std::string_view bytes) {
  return [bytes](std::span<std::byte> buffer) mutable {
    const std::size_t count = std::min(buffer.size(), bytes.size());
    if (count > 0) std::memcpy(buffer.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    return count;
  };
}

GzipSource gzip_source(int fd, std::string_view name) {
  return [fd, name](std::span<std::byte> buffer) { return core::read_some(fd, buffer, name); };
}

std::vector<GzipMember> split_gzip(const GzipSource& source, std::string_view name,
                                   std::span<const std::uint64_t> limits, const GzipWatcher& watcher) {
  core::SourceBuffer input(source);
  std::vector<GzipMember> members;
  std::uint64_t offset = 0;
  while (!input.pending().empty()) {
    if (members.size() == limits.size()) {
      throw broken(name, fmt::format("trailing member or bytes after gzip member {}", limits.size()));
    }
    const std::size_t number = members.size();
    members.push_back(read_member(input, number, offset, limits[number], name, watcher));
    offset += members.back().size;
  }
  return members;
}

}  // namespace imgforge::fetch
