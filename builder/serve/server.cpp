#include "builder/serve/server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <list>
#include <vector>

#include "builder/serve/connection.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"

namespace imgforge::serve {
namespace {

using core::Error;
using core::Kind;

constexpr int kTick = 200;  // milliseconds between looks at the clock and at Ctrl-C
constexpr int kBacklog = 128;

core::Fd listen_on(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* list = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &list) != 0) {
    throw Error(Kind::kUsage, "\"" + address + "\" is no address to listen on")
        .hint("give a numeric one: 127.0.0.1, 0.0.0.0, ::1");
  }
  const core::Handle<&::freeaddrinfo> owner(list);
  core::Fd fd(::socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), list->ai_addr, list->ai_addrlen) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    const int number = errno;
    throw core::system_error(number, "cannot listen on", fmt::format("{} port {}", address, port))
        .hint("choose another port with --port, or --port 0 for any free one");
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    throw core::system_error(errno, "cannot examine", "the listening socket");
  const auto* four = reinterpret_cast<const sockaddr_in*>(&storage);
  const auto* six = reinterpret_cast<const sockaddr_in6*>(&storage);
  return ntohs(storage.ss_family == AF_INET6 ? six->sin6_port : four->sin_port);
}

}  // namespace

Server::Server(ServerOptions options) : options_(std::move(options)) {
  if (!std::filesystem::is_directory(options_.folder))
    throw Error(Kind::kUsage, options_.folder.native() + " is no folder");
  options_.folder = std::filesystem::absolute(options_.folder);
  listener_ = listen_on(options_.address, options_.port);
  port_ = port_of(listener_.get());
}

std::string Server::url() const {
  const bool is_six = options_.address.find(':') != std::string::npos;
  return fmt::format("http://{}:{}/", is_six ? "[" + options_.address + "]" : options_.address, port_);
}

void Server::run(const core::CancelToken& cancel) {
  StaticFiles files(options_.folder);
  std::list<Connection> connections;
  std::vector<pollfd> polls;
  while (true) {
    cancel.check();
    polls.clear();
    for (const Connection& connection : connections)
      polls.push_back({connection.fd(), connection.events(), 0});
    if (connections.size() < options_.connections) polls.push_back({listener_.get(), POLLIN, 0});
    if (::poll(polls.data(), polls.size(), kTick) < 0 && errno != EINTR)
      throw core::system_error(errno, "cannot wait for", "clients");
    const auto now = std::chrono::steady_clock::now();
    std::size_t index = 0;
    for (auto at = connections.begin(); at != connections.end(); ++index) {
      const bool alive = polls[index].revents == 0 ? at->has_time(now) : at->advance(files, now);
      at = alive ? std::next(at) : connections.erase(at);
    }
    if (index >= polls.size() || polls[index].revents == 0) continue;
    while (connections.size() < options_.connections) {
      core::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!client) break;  // none left, or no descriptors left: the next round tries again
      connections.emplace_back(std::move(client), options_);
    }
  }
}

}  // namespace imgforge::serve
