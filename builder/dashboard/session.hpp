// One client of the server: the answer that it waits for, or what goes through its WebSocket. Both directions
// are bounded.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "builder/dashboard/answer.hpp"
#include "core/fd.hpp"

struct lws;  // libwebsockets

namespace imgforge::dashboard {

/// Messages for one WebSocket, in order.
class Outbox {
 public:
  enum class Kind { kText, kBytes };
  /// A page that reads so slowly is dropped.
  static constexpr std::size_t kMost = 1 << 20;
  /// Beyond it no more is read from the machine until some of it was sent.
  static constexpr std::size_t kEnough = 256 << 10;

  /// False when it is full; the message is then lost.
  bool push(Kind kind, std::string_view text);
  bool empty() const { return messages_.empty(); }
  std::size_t size() const { return size_; }
  Kind kind() const { return messages_.front().kind; }
  /// The first message, or its next part of bytes; then `pop` what was sent of it. A text is given whole.
  std::string_view next(std::size_t most) const;
  void pop(std::size_t count);

 private:
  struct Message {
    Kind kind;
    std::string text;
    std::size_t sent = 0;
  };
  std::deque<Message> messages_;
  std::size_t size_ = 0;
};

/// What a WebSocket is for.
enum class Purpose { kNone, kEvents, kConsole, kScreen };

struct Session {
  std::uint64_t id = 0;
  Request request;
  bool waits_for_body = false;
  bool has_answer = false;
  bool has_head = false;  ///< status and headers of it were sent
  Answer answer;
  std::size_t sent = 0;

  Purpose purpose = Purpose::kNone;
  Outbox out;
  core::Fd peer;         ///< the machine's end, until it is a connection of its own
  lws* relay = nullptr;  ///< that connection
  std::string to_peer;
  std::string greeting;  ///< of the console: its first line, so far
  bool greeted = false;
  bool ends = false;  ///< once all was sent
};

}  // namespace imgforge::dashboard
