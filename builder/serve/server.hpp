// A small HTTP/1.1 server for static files: one thread, one poll(2), sendfile(2). It is for looking at an
// export and for fetching from it in a trusted network; it speaks no TLS.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/cancel.hpp"
#include "core/fd.hpp"

namespace imgforge::serve {

struct ServerOptions {
  std::filesystem::path folder;
  std::string address = "127.0.0.1";                               ///< numeric, IPv4 or IPv6
  std::uint16_t port = 8000;                                       ///< 0: any free one
  std::size_t connections = 256;                                   ///< further clients wait
  std::chrono::milliseconds head_time{std::chrono::seconds(15)};   ///< for a request to arrive
  std::chrono::milliseconds idle_time{std::chrono::seconds(30)};   ///< between two requests
  std::chrono::milliseconds stall_time{std::chrono::seconds(60)};  ///< for a client that takes nothing
  /// Called for each answer with the request's first line, the status and the bytes of the body. May be
  /// empty.
  std::function<void(std::string_view request, int status, std::uint64_t bytes)> log;
};

class Server {
 public:
  /// Listens from here on. Throws kUsage for a folder or an address that is none, kPermission or kIo when the
  /// port cannot be had.
  explicit Server(ServerOptions options);
  std::uint16_t port() const { return port_; }
  /// "http://127.0.0.1:8000/".
  std::string url() const;
  /// Serves until cancelled; then throws kInterrupted.
  void run(const core::CancelToken& cancel);

 private:
  ServerOptions options_;
  core::Fd listener_;
  std::uint16_t port_ = 0;
};

}  // namespace imgforge::serve
