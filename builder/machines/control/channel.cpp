#include "builder/machines/control/channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/error.hpp"

namespace imgforge::machines {
namespace {

constexpr std::size_t kMostRead = 1 << 20;  // at a time, so that one talker does not starve the others

}  // namespace

Channel::Channel(core::Fd fd, std::size_t longest_line) : fd_(std::move(fd)), longest_line_(longest_line) {
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    throw core::system_error(errno, "cannot set up", "a socket");
}

short Channel::events() const {
  return static_cast<short>(unsent() > 0 ? POLLIN | POLLOUT : POLLIN);
}

void Channel::work() {
  if (is_closed()) return;
  std::array<char, 1 << 14> buffer;
  std::size_t taken = 0;
  while (taken < kMostRead) {
    const ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) {
      close();
      return;
    }
    in_.append(buffer.data(), static_cast<std::size_t>(n));
    taken += static_cast<std::size_t>(n);
  }
  flush();
}

void Channel::send(std::string_view text) {
  if (is_closed() || !takes_) return;
  out_ += text;
  flush();
}

void Channel::flush() {
  while (unsent() > 0) {
    const ssize_t n = ::send(fd_.get(), out_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      takes_ = false;  // what the other end sent before it went may still be here to be read
      break;
    }
    sent_ += static_cast<std::size_t>(n);
  }
  out_ = std::string();  // nothing of a large one stays
  sent_ = 0;
}

std::optional<std::string> Channel::next_line() {
  const std::size_t end = in_.find('\n', searched_);
  if (end == std::string::npos) {
    searched_ = in_.size();
    if (in_.size() > longest_line_) {
      in_ = std::string();
      searched_ = 0;
      close();
    }
    return std::nullopt;
  }
  std::string line = in_.substr(0, end);
  in_.erase(0, end + 1);
  if (in_.empty()) in_ = std::string();
  searched_ = 0;
  return line;
}

std::string Channel::take_all() {
  searched_ = 0;
  return std::exchange(in_, {});
}

}  // namespace imgforge::machines
