// The head of an HTTP/1.1 request (RFC 9112), read strictly: what two readers could understand differently is
// refused. Names of headers are kept in lower case.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace imgforge::serve {

/// A request that cannot be answered, and the status that says so.
struct BadRequest {
  int status;
};

struct HttpRequest {
  std::string method;
  std::string target;  ///< as sent, still percent-encoded
  bool keep_alive = true;
  std::map<std::string, std::string, std::less<>> headers;

  /// Value of a header, empty when it is missing.
  std::string_view header(std::string_view name) const;
};

constexpr std::size_t kMaxRequestHead = 16 << 10;

/// Parses a head up to and with its empty line. Throws BadRequest (400, 405, 501, 505).
HttpRequest parse_request(std::string_view head);

/// The file that a target asks for: relative, percent-decoded, query removed, without empty and "."
/// components; empty for the root. `is_folder` tells that the path ended with '/'. Throws BadRequest: 400 for
/// a malformed target or a NUL byte, 404 for a component that begins with '.' (so also "..").
struct TargetPath {
  std::string path;
  bool is_folder = false;
};
TargetPath parse_target(std::string_view target);

}  // namespace imgforge::serve
