#include "builder/serve/answer.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "core/text.hpp"

namespace imgforge::serve {
namespace {

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 412:
      return "Precondition Failed";
    case 416:
      return "Range Not Satisfiable";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

std::string begin_head(int status, bool keep_alive) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nDate: {}\r\nServer: imgforge\r\nX-Content-Type-Options: nosniff\r\nConnection: "
      "{}\r\n",
      status, reason_of(status), http_date(static_cast<std::int64_t>(std::time(nullptr))),
      keep_alive ? "keep-alive" : "close");
}

/// True when a list of validators has `etag`, or is "*". Weak ones count only where `weak_too`.
bool lists_etag(std::string_view list, std::string_view etag, bool weak_too) {
  for (const std::string& part : core::split(std::string(list), ',')) {
    std::string_view word = core::trimmed(part);
    if (word == "*") return true;
    if (word.starts_with("W/")) {
      if (!weak_too) continue;
      word.remove_prefix(2);
    }
    if (word == etag) return true;
  }
  return false;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return static_cast<std::int64_t>(::timegm(&parts));
}

bool is_not_modified(const HttpRequest& request, const OpenFile& file) {
  if (const std::string_view list = request.header("if-none-match"); !list.empty())
    return lists_etag(list, file.etag, true);
  const std::optional<std::int64_t> since = parse_date(request.header("if-modified-since"));
  return since && file.modified <= *since;
}

/// A part is sent only of the very content that the client has the beginning of.
bool range_applies(const HttpRequest& request, const OpenFile& file) {
  const std::string_view condition = request.header("if-range");
  return condition.empty() || condition == file.etag;
}

std::string encoded(std::string_view path) {
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain =
        std::isalnum(byte) != 0 || std::string_view("-._~+/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

Answer answer_file(const HttpRequest& request, OpenFile file) {
  Answer reply;
  const std::string common =
      fmt::format("ETag: {}\r\nLast-Modified: {}\r\nCache-Control: no-cache\r\nAccept-Ranges: bytes\r\n",
                  file.etag, http_date(file.modified));
  if (const std::string_view match = request.header("if-match");
      !match.empty() && !lists_etag(match, file.etag, false))
    return answer_error(412, request.keep_alive, request.method == "HEAD");
  if (is_not_modified(request, file)) {
    reply.status = 304;
    reply.head = begin_head(304, request.keep_alive) + common + "\r\n";
    return reply;
  }
  reply.range = {0, file.size};
  // Range is defined for GET only.
  if (request.method == "GET" && range_applies(request, file)) {
    const RangeAnswer range = parse_range(request.header("range"), file.size);
    if (range.kind == RangeKind::kUnsatisfiable) {
      reply.status = 416;
      reply.head = begin_head(416, request.keep_alive) +
                   fmt::format("Content-Range: bytes */{}\r\nContent-Length: 0\r\n\r\n", file.size);
      return reply;
    }
    if (range.kind == RangeKind::kPart) {
      reply.status = 206;
      reply.range = range.range;
    }
  }
  reply.head = begin_head(reply.status, request.keep_alive) + common;
  if (reply.status == 206) {
    reply.head += fmt::format("Content-Range: bytes {}-{}/{}\r\n", reply.range.first,
                              reply.range.first + reply.range.count - 1, file.size);
  }
  reply.head +=
      fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n\r\n", file.content_type, reply.range.count);
  if (request.method == "GET" && reply.range.count > 0) reply.file = std::move(file.fd);
  return reply;
}

Answer answer_moved(const HttpRequest& request, const std::string& path) {
  Answer reply;
  reply.status = 301;
  reply.head = begin_head(301, request.keep_alive) +
               fmt::format("Location: /{}/\r\nContent-Length: 0\r\n\r\n", encoded(path));
  return reply;
}

}  // namespace

Answer answer_error(int status, bool keep_alive, bool head_only) {
  Answer reply;
  reply.status = status;
  reply.body = fmt::format("{} {}\n", status, reason_of(status));
  reply.head = begin_head(status, keep_alive) +
               fmt::format("{}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
                           status == 405 ? "Allow: GET, HEAD\r\n" : "", reply.body.size());
  if (head_only) reply.body.clear();
  return reply;
}

Answer answer(const HttpRequest& request, StaticFiles& files) {
  const bool head_only = request.method == "HEAD";
  TargetPath target;
  try {
    target = parse_target(request.target);
  } catch (const BadRequest& bad) {
    return answer_error(bad.status, request.keep_alive, head_only);
  }
  OpenFile file;
  std::string path = target.path;
  if (target.is_folder) path += (path.empty() ? "" : "/") + std::string("index.html");
  const Lookup found = files.open(path, file);
  if (found == Lookup::kFound) return answer_file(request, std::move(file));
  if (found == Lookup::kFolder && !target.is_folder) return answer_moved(request, target.path);
  return answer_error(404, request.keep_alive, head_only);
}

std::string http_date(std::int64_t time) {
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t value = time;
  std::tm parts{};
  if (::gmtime_r(&value, &parts) == nullptr) return "Thu, 01 Jan 1970 00:00:00 GMT";
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday,
                     kMonths.at(static_cast<std::size_t>(parts.tm_mon)), parts.tm_year + 1900, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

}  // namespace imgforge::serve
