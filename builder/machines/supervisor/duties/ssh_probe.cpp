#include "builder/machines/supervisor/duties/ssh_probe.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace imgforge::machines {
namespace {

constexpr std::chrono::milliseconds kPause{500};
constexpr std::chrono::seconds kPatience{10};
constexpr std::string_view kGreeting = "SSH-";

}  // namespace

void SshProbe::begin(Clock::time_point now) {
  greeting_.clear();
  until_ = now + kPatience;
  socket_ = core::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!socket_ ||
      (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
       errno != EINPROGRESS)) {
    socket_.reset();
    until_ = now + kPause;
  }
}

bool SshProbe::work(Clock::time_point now) {
  if (!socket_ && now >= until_) begin(now);
  if (!socket_) return false;
  std::array<char, 64> buffer;
  const ssize_t n = ::read(socket_.get(), buffer.data(), buffer.size());
  if (n > 0) greeting_.append(buffer.data(), static_cast<std::size_t>(n));
  const bool waits = n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN);
  if (greeting_.starts_with(kGreeting)) {
    socket_.reset();
    return true;
  }
  if ((n <= 0 && !waits) || now >= until_ || greeting_.size() >= kGreeting.size()) {
    socket_.reset();
    until_ = now + kPause;
  }
  return false;
}

}  // namespace imgforge::machines
