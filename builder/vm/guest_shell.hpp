// Runs commands in a guest through its serial console: logs in when asked to, waits for a shell, types one
// command after the other and reads output and exit status between markers that only the shell can produce.
// Pure: console text goes in, text to type comes out; boot.cpp connects it to QEMU.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::vm {

/// Who logs in where the console asks for it. A console that shows a shell needs no log-in.
struct LogIn {
  std::string user = "root";
  std::string password = {};
};

/// A command for the guest's shell: one line, run in a subshell of its own with an empty standard input.
struct GuestCommand {
  std::string text;
  /// ECMAScript regular expression that the output must contain, whatever the status. Empty: the status must
  /// be 0.
  std::string expect = {};
};

struct CommandResult {
  std::string command;
  int status = 0;
  std::string output;  ///< standard output and error, without escape sequences; the first MiB
  double seconds = 0;  ///< from typing to the end marker
};

class GuestShell {
 public:
  /// `nonce` makes the markers unlike anything that the guest prints. Throws kUsage for a command that cannot
  /// be typed: control characters, or more than 800 bytes (busybox's line editor holds 1024).
  GuestShell(LogIn log_in, std::vector<GuestCommand> commands, std::string nonce);

  /// Takes what ConsoleText::feed returned: completed lines and the unfinished one.
  void take(const std::vector<std::string>& lines);
  /// What is to be typed now (empty: nothing), when the console has shown nothing new for `quiet`.
  std::string type(std::chrono::milliseconds quiet);
  /// True when all commands have ended.
  bool finished() const { return next_ > commands_.size(); }
  /// Why it cannot go on: log-in refused, or a command that did not end as it should. Empty: nothing is
  /// wrong.
  const std::string& failure() const { return failure_; }
  /// What is being done, for messages: "waiting for a shell", "running \"uname\"".
  std::string step() const;
  /// Number of the step; a change of it is progress.
  std::size_t steps_done() const { return next_; }
  const std::vector<CommandResult>& results() const { return results_; }

 private:
  using Clock = std::chrono::steady_clock;
  std::string marker(std::string_view word) const;
  std::string typed_command();
  std::string answer();
  void take_line(const std::string& line);
  void end_command(int status);
  void refuse_log_in();
  std::string nudge();

  LogIn log_in_;
  std::vector<GuestCommand> commands_;
  std::string nonce_;
  std::vector<CommandResult> results_;
  std::string failure_;
  std::size_t next_ = 0;  ///< 0: the probe that proves a shell; n: command n, counted from 1
  enum class State { kPrompt, kTyped, kOutput } state_ = State::kPrompt;
  std::string tail_;      ///< the unfinished line
  std::string answered_;  ///< the unfinished line that was answered: not answered again
  int log_ins_ = 0;
  int nudges_ = 0;    ///< newlines typed since the last output
  int newlines_ = 0;  ///< and in all
  std::vector<std::string> output_;
  std::size_t output_size_ = 0;
  Clock::time_point typed_at_;
};

}  // namespace imgforge::vm
