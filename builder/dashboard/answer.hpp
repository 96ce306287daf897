// A request to the dashboard and the answer to it, without the library that carries them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::dashboard {

/// What a client asks, percent-decoded.
struct Request {
  std::string method;  ///< "GET", "POST", "DELETE", "" for any other
  std::string path;
  std::string query;  ///< behind '?', members joined by '&'
  std::string host;
  std::string origin;
  std::string cookie;
  std::string authorization;
  bool upgrades = false;  ///< asks for a WebSocket
  std::string body;

  /// A member of the query; empty when it is missing.
  std::string query_member(std::string_view name) const;
};

struct Answer {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< further ones
};

Answer json_answer(const core::Json& value, int status = 200);
/// The error as core::error_line, with the status that belongs to its kind unless another one is given.
Answer error_answer(const core::Error& error, int status = 0);

}  // namespace imgforge::dashboard
