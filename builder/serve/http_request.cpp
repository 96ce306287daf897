#include "builder/serve/http_request.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/percent.hpp"
#include "core/text.hpp"

namespace imgforge::serve {
namespace {

constexpr std::size_t kMaxHeaders = 100;

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

void parse_first_line(std::string_view line, HttpRequest& request) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) throw BadRequest{400};
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(request.method) || request.target.find(' ') != std::string::npos) throw BadRequest{400};
  if (!version.starts_with("HTTP/")) throw BadRequest{400};
  if (version != "HTTP/1.1" && version != "HTTP/1.0") throw BadRequest{505};
  request.keep_alive = version == "HTTP/1.1";
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const std::optional<char> byte = core::escaped_byte(text, i);
    if (!byte) throw BadRequest{400};
    out += *byte;
    i += 2;
  }
  if (out.find('\0') != std::string::npos) throw BadRequest{400};
  return out;
}

/// "http://host/path" is the form that clients send to a proxy; every server has to take it.
std::string_view without_authority(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (!lower(target.substr(0, kScheme.size())).starts_with(kScheme)) return target;
  const std::size_t slash = target.find('/', kScheme.size());
  return slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

HttpRequest parse_request(std::string_view head) {
  HttpRequest request;
  std::size_t count = 0;
  bool is_first = true;
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    if (end == std::string_view::npos) throw BadRequest{400};
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (!is_printable(line)) throw BadRequest{400};
    if (is_first) {
      parse_first_line(line, request);
      is_first = false;
      continue;
    }
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon)) || ++count > kMaxHeaders)
      throw BadRequest{400};
    const auto [place, is_new] =
        request.headers.emplace(lower(line.substr(0, colon)), core::trimmed(line.substr(colon + 1)));
    if (!is_new) place->second += ", " + std::string(core::trimmed(line.substr(colon + 1)));
  }
  if (is_first || (request.keep_alive && !request.headers.contains("host"))) throw BadRequest{400};
  // Neither GET nor HEAD has a body, and a body that is not read would be taken for a request.
  if (request.method != "GET" && request.method != "HEAD") throw BadRequest{405};
  const std::string_view length = request.header("content-length");
  if (!request.header("transfer-encoding").empty()) throw BadRequest{501};
  if (!length.empty() && length != "0") throw BadRequest{400};
  const std::string connection = lower(request.header("connection"));
  if (connection.find("close") != std::string::npos) request.keep_alive = false;
  return request;
}

TargetPath parse_target(std::string_view target) {
  target = without_authority(target);
  target = target.substr(0, target.find_first_of("?#"));
  if (!target.starts_with('/')) throw BadRequest{400};
  const std::string decoded = percent_decoded(target);
  TargetPath result;
  result.is_folder = decoded.ends_with('/') || decoded.ends_with("/.");
  for (const std::string& part : core::split(decoded, '/')) {
    if (part.empty() || part == ".") continue;
    if (part.starts_with('.')) throw BadRequest{404};
    result.path += (result.path.empty() ? "" : "/") + part;
  }
  return result;
}

}  // namespace imgforge::serve
