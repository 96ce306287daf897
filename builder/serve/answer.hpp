// What is answered to a request: the status, the headers and which bytes of which file. Conditions are taken
// in the order of RFC 9110, 13.2.2.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>

#include "builder/serve/byte_range.hpp"
#include "builder/serve/http_request.hpp"
#include "builder/serve/static_files.hpp"

namespace imgforge::serve {

struct Answer {
  int status = 200;
  std::string head;  ///< status line and headers, with the empty line
  std::string body;  ///< when no file is sent
  core::Fd file;     ///< open when bytes of a file follow the head
  ByteRange range;
};

/// The answer to a GET or HEAD.
Answer answer(const HttpRequest& request, StaticFiles& files);
/// A short page of text for a request that failed. `keep_alive`: the connection stays open.
Answer answer_error(int status, bool keep_alive, bool head_only = false);
/// "Fri, 20 Nov 2026 01:02:03 GMT" (IMF-fixdate).
std::string http_date(std::int64_t time);

}  // namespace imgforge::serve
