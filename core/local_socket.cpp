#include "core/local_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

sockaddr_un address_of(int folder, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", folder, name);
  if (path.size() >= sizeof address.sun_path) throw Error(Kind::kInternal, "a socket's name is too long");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Fd new_socket(int flags) {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!socket) throw system_error(errno, "cannot create", "a socket");
  return socket;
}

}  // namespace

std::optional<Fd> connect_local(const std::filesystem::path& folder, const std::string& name) {
  const Fd directory = open_file(folder, O_RDONLY | O_DIRECTORY);
  const sockaddr_un address = address_of(directory.get(), name);
  Fd socket = new_socket(0);
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == ENOENT || errno == ECONNREFUSED) return std::nullopt;
    if (errno != EINTR) throw system_error(errno, "cannot reach", (folder / name).native());
  }
  return socket;
}

Fd listen_local(const std::filesystem::path& folder, const std::string& name) {
  const Fd directory = open_file(folder, O_RDONLY | O_DIRECTORY);
  const sockaddr_un address = address_of(directory.get(), name);
  Fd socket = new_socket(SOCK_NONBLOCK);
  if (::unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    throw system_error(errno, "cannot remove", (folder / name).native());
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(socket.get(), 64) != 0)
    throw system_error(errno, "cannot listen at", (folder / name).native());
  return socket;
}

}  // namespace imgforge::core
