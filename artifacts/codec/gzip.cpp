#include "artifacts/codec/gzip.hpp"

#include <zlib.h>

#include "core/error.hpp"
#include "core/handle.hpp"

namespace imgforge::artifacts {

std::string gzip(std::string_view data) {
  constexpr int kWindowBits = 15 + 16;  // 16 asks for a gzip header
  constexpr int kMemory = 9;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kWindowBits, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    throw core::Error(core::Kind::kInternal, "zlib cannot start");
  const core::Handle<&deflateEnd> guard(&stream);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));  // not const-correct
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  if (result != Z_STREAM_END) throw core::Error(core::Kind::kInternal, "zlib did not finish");
  return out;
}

}  // namespace imgforge::artifacts
