// What anybody may send to `imgforge serve`.
#include <stdexcept>

#include "builder/serve/byte_range.hpp"
#include "builder/serve/http_request.hpp"
#include "fuzz/table.hpp"

namespace imgforge::fuzz {

void http_request(std::string_view bytes) {
  try {
    const serve::HttpRequest request = serve::parse_request(bytes);
    const std::string path = "/" + serve::parse_target(request.target).path + "/";
    if (path.find("/../") != std::string::npos || path.find('\0') != std::string::npos)
      throw std::logic_error("a request leaves the folder: " + path);
    serve::parse_range(request.header("range"), 1000);
  } catch (const serve::BadRequest&) {
  }
}

void http_range(std::string_view bytes) {
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    const serve::RangeAnswer answer = serve::parse_range(bytes, size);
    const serve::ByteRange& range = answer.range;
    if (answer.kind == serve::RangeKind::kPart &&
        (range.count == 0 || range.first >= size || range.count > size - range.first))
      throw std::logic_error("a part that the file does not have");
  }
}

}  // namespace imgforge::fuzz
