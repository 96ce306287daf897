// One client of the server: reads a request, sends its answer, and again, never blocking. Private to
// server.cpp.
#pragma once

#include <chrono>
#include <string>

#include "builder/serve/answer.hpp"
#include "builder/serve/server.hpp"

namespace imgforge::serve {

class Connection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Connection(core::Fd socket, const ServerOptions& options);
  int fd() const { return socket_.get(); }
  /// What poll(2) is to wait for: POLLIN or POLLOUT.
  short events() const;
  /// Does what can be done now. False when the connection is over.
  bool advance(StaticFiles& files, Time now);
  /// False when the client has been waited for long enough.
  bool has_time(Time now) const;

 private:
  bool is_sending() const { return sent_ < head_.size() || range_.count > 0; }
  bool receive();
  bool send();
  void take_request(StaticFiles& files);
  void begin(Answer answer, bool keep_alive, std::string_view first_line);

  core::Fd socket_;
  const ServerOptions& options_;
  std::string received_;
  std::string head_;  // with a body of text behind it
  std::size_t sent_ = 0;
  core::Fd file_;
  ByteRange range_;  // of the file, still to be sent
  bool keep_alive_ = true;
  bool moved_ = true;  // something was read or sent since the last look at the clock
  Time deadline_;
};

}  // namespace imgforge::serve
