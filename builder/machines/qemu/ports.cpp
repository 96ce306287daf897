#include "builder/machines/qemu/ports.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::machines {
namespace {

/// The socket at that address; none when it is taken.
core::Fd bound(const Forward& forward) {
  const int type = forward.protocol == "udp" ? SOCK_DGRAM : SOCK_STREAM;
  core::Fd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!socket) throw core::system_error(errno, "cannot create", "a socket");
  const int yes = 1;  // as QEMU does, so that a port in TIME_WAIT is free
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(forward.host_port);
  ::inet_pton(AF_INET, forward.address.c_str(), &address.sin_addr);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  if (type == SOCK_STREAM && ::listen(socket.get(), 1) != 0) return {};
  return socket;
}

}  // namespace

std::uint16_t free_port() {
  const core::Fd socket = bound({});
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (!socket || ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw core::system_error(errno, "cannot find", "a free port");
  return ntohs(address.sin_port);
}

bool is_free(const Forward& forward) {
  return static_cast<bool>(bound(forward));
}

void check_ports(const Settings& settings) {
  for (const Forward& forward : settings.forwards) {
    if (is_free(forward)) continue;
    throw core::Error(
        core::Kind::kMachine,
        fmt::format("the machine {} wants {} port {} of {} for its port {}, and something else "
                    "listens there or it may not be used",
                    settings.name, forward.protocol, forward.host_port, forward.address, forward.guest_port))
        .hint(fmt::format("ss -ln{} 'sport = :{}' shows who", forward.protocol == "udp" ? "up" : "tp",
                          forward.host_port));
  }
}

}  // namespace imgforge::machines
