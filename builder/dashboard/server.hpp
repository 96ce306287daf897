// The dashboard's server: HTTP and WebSocket on the loopback of this host (libwebsockets). One thread serves;
// what may take long is done by others.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "builder/dashboard/api.hpp"
#include "builder/machines/registry/registry.hpp"
#include "core/cancel.hpp"

namespace imgforge::dashboard {

struct ServerOptions {
  std::uint16_t port = 0;  ///< 0: any free one
  Api::RunCommand run;
};

class Server {
 public:
  /// Listens from here on. `registry` must outlive it. Throws kMachine when the port is taken.
  Server(const machines::Registry& registry, ServerOptions options);
  ~Server();
  std::uint16_t port() const;
  /// The address that lets in.
  std::string address() const;
  const std::string& token() const;
  /// Serves until cancelled.
  void run(const core::CancelToken& cancel);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace imgforge::dashboard
