#include "builder/serve/connection.hpp"

#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace imgforge::serve {
namespace {

constexpr std::uint64_t kChunk = 1 << 20;  // so that one fast client does not keep the others waiting
constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool is_temporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace

Connection::Connection(core::Fd socket, const ServerOptions& options)
    : socket_(std::move(socket)),
      options_(options),
      deadline_(std::chrono::steady_clock::now() + options.head_time) {}

short Connection::events() const {
  return is_sending() ? POLLOUT : POLLIN;
}

bool Connection::advance(StaticFiles& files, Time now) {
  const bool was_idle = received_.empty();
  if (!is_sending() && !receive()) return false;
  if (!is_sending()) take_request(files);
  if (is_sending() && !send()) return false;
  // Requests that came with the first one are answered in turn.
  while (!is_sending() && keep_alive_ && received_.find(kHeadEnd) != std::string::npos) {
    take_request(files);
    if (!send()) return false;
  }
  if (!is_sending() && !keep_alive_) return false;
  if (is_sending()) {
    if (moved_) deadline_ = now + options_.stall_time;
  } else if (received_.empty()) {
    deadline_ = now + options_.idle_time;
  } else if (was_idle) {
    deadline_ = now + options_.head_time;  // counts from the first byte: drops do not prolong it
  }
  moved_ = false;
  return true;
}

bool Connection::has_time(Time now) const {
  return now < deadline_;
}

bool Connection::receive() {
  std::array<char, 4096> buffer;
  const ssize_t n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n < 0) return is_temporary(errno);
  if (n == 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(n));
  return true;
}

void Connection::take_request(StaticFiles& files) {
  const std::size_t end = received_.find(kHeadEnd);
  if (end == std::string::npos) {
    if (received_.size() > kMaxRequestHead) begin(answer_error(431, false), false, "(too long)");
    return;
  }
  const std::string head = received_.substr(0, end + kHeadEnd.size());
  received_.erase(0, head.size());
  const std::string_view first_line = std::string_view(head).substr(0, head.find("\r\n"));
  try {
    const HttpRequest request = parse_request(head);
    begin(answer(request, files), request.keep_alive, first_line);
  } catch (const BadRequest& bad) {
    begin(answer_error(bad.status, false), false, first_line);
  }
}

void Connection::begin(Answer answer, bool keep_alive, std::string_view first_line) {
  keep_alive_ = keep_alive;
  if (!keep_alive) received_.clear();
  head_ = answer.head + answer.body;
  sent_ = 0;
  file_ = std::move(answer.file);
  range_ = file_ ? answer.range : ByteRange{};
  if (options_.log) options_.log(first_line, answer.status, file_ ? range_.count : answer.body.size());
}

bool Connection::send() {
  while (sent_ < head_.size()) {
    const int more = range_.count > 0 ? MSG_MORE : 0;
    const ssize_t n = ::send(socket_.get(), head_.data() + sent_, head_.size() - sent_, MSG_NOSIGNAL | more);
    if (n < 0) return is_temporary(errno);
    sent_ += static_cast<std::size_t>(n);
    moved_ = true;
  }
  if (range_.count == 0) return true;
  auto offset = static_cast<off_t>(range_.first);
  const ssize_t n = ::sendfile(socket_.get(), file_.get(), &offset, std::min(range_.count, kChunk));
  if (n < 0) return is_temporary(errno);
  if (n == 0) return false;  // the file became shorter: the client must notice
  range_.first += static_cast<std::uint64_t>(n);
  range_.count -= static_cast<std::uint64_t>(n);
  moved_ = true;
  if (range_.count == 0) file_.reset();
  return true;
}

}  // namespace imgforge::serve
