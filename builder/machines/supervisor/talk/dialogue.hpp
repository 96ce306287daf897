// A talk in which questions are answered in the order in which they are asked, one JSON object a line: with
// QEMU (QEMU Machine Protocol, docs/interop/qmp-spec) and with the guest's agent (docs/interop/qemu-ga-ref).
// Nothing here waits; whoever polls says when time has passed.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "builder/machines/control/channel.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"

namespace imgforge::machines {

/// What came of a question: the other side's whole line, or why there is none.
struct Answer {
  std::string line;
  std::string failure;
  bool timed_out = false;
};

class Dialogue {
 public:
  using Clock = std::chrono::steady_clock;
  using Take = std::function<void(const Answer&)>;
  enum class Partner {
    kMonitor,  ///< greets, has to be asked for its capabilities, and tells events between answers
    kAgent,    ///< says nothing until the guest has opened the port; may be out of step, and may lie
  };

  Dialogue(core::Fd socket, Partner partner);

  /// Called for each event of the monitor.
  std::function<void(const core::Json&)> on_event;
  /// Called when the partner begins to answer.
  std::function<void()> on_open;

  /// Asks; `take` is called once, later, or at once when nobody is there. `patience` counts from when all
  /// earlier questions are done, also while the agent has not begun to answer. An agent that was there a
  /// moment ago may be there: QEMU tells that a port was opened at most once a second, so after a snapshot
  /// was loaded, which closes and opens it, the question is kept for that long.
  void ask(const core::Json& question, std::chrono::milliseconds patience, Take take);
  /// The guest opened or closed the agent's port (the monitor's event VSERPORT_CHANGE).
  void set_port(bool open);
  /// True when questions are answered.
  bool is_open() const { return open_; }
  /// True once it has begun to answer: `on_open` was called.
  bool has_begun() const { return begun_; }

  int fd() const { return channel_.fd(); }
  short events() const { return channel_.events(); }
  bool is_closed() const { return channel_.is_closed(); }
  /// Something can be read or written.
  void work();
  /// Gives up what took too long.
  void pass_time(Clock::time_point now);
  /// When that has to be called next.
  std::optional<Clock::time_point> deadline() const;

 private:
  struct Question {
    std::string line;
    std::chrono::milliseconds patience;
    Take take;
  };
  void take_line(std::string line);
  void send_next();
  void synchronise();
  void finish(const Answer& answer);
  void fail_all(const std::string& why);
  bool may_come_back() const { return back_until_ != Clock::time_point(); }
  void begin();

  Channel channel_;
  Partner partner_;
  bool open_ = false;
  bool begun_ = false;
  std::int64_t sync_ = 0;  ///< the number that the agent has to say; 0: none is waited for
  std::deque<Question> questions_;
  bool asked_ = false;  ///< the first of them was sent
  Clock::time_point
      back_until_;  ///< when an agent whose port was closed counts as gone; zero: it is there, or gone
  Clock::time_point until_;
};

}  // namespace imgforge::machines
