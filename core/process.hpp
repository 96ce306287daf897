// The one way in which imgforge starts programs: argv only (no shell), a clean environment (LC_ALL=C,
// TZ=UTC, PATH, HOME, TMPDIR and what the command adds), bounded captured output, a deadline, and the whole
// process group killed on cancel.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::core {

struct Command {
  std::string program;  ///< name looked up in PATH (with /usr/sbin and /sbin added), or a path
  std::vector<std::string> args;
  std::map<std::string, std::string> environment;        ///< added to the clean environment
  std::filesystem::path directory;                       ///< working directory; empty: unchanged
  std::string input;                                     ///< fed to standard input
  std::optional<std::filesystem::path> input_file = {};  ///< is standard input, instead of `input`
  std::optional<std::filesystem::path> output_file;      ///< standard output goes there instead of `out`
  std::chrono::milliseconds timeout{std::chrono::minutes(10)};
  std::size_t output_limit = 4 << 20;  ///< bytes kept of each stream (the tail is kept)
  /// SIGKILL to it as soon as the thread that starts it has ended, however that ends.
  bool ends_with_caller = false;
};

struct ProcessResult {
  int exit_code = 0;  ///< 128+n when killed by signal n
  std::string out;
  std::string err;
};

/// Stands behind every program start so that tests can replace it by one that records.
class ProcessRunner {
 public:
  virtual ~ProcessRunner() = default;
  /// Runs to the end. Throws kMachine when the program is missing, kTimeout, kInterrupted.
  virtual ProcessResult run(const Command& command, const CancelToken& cancel) = 0;
  /// Runs and throws `kind` with the tail of stderr when the exit code is not 0.
  ProcessResult check(const Command& command, const CancelToken& cancel, Kind kind = Kind::kInternal);
};

/// The runner that really starts programs.
ProcessRunner& system_processes();

/// Full path of a program, looked up as `run` does; empty when there is none.
std::filesystem::path find_program(std::string_view name);

/// A running child with its output readable as it comes, for QEMU and servers. Standard error joins
/// standard output. The destructor kills the process group.
class ChildProcess {
 public:
  explicit ChildProcess(const Command& command);
  ~ChildProcess();
  ChildProcess(ChildProcess&&) noexcept;
  /// Waits up to `wait` for output; returns what came (empty: nothing yet, or the end).
  std::string read(std::chrono::milliseconds wait);
  /// True once output has ended.
  bool at_end() const;
  void write(std::string_view text);
  /// Exit code if the child has ended (128+n for signal n).
  std::optional<int> poll_exit();
  /// SIGKILL to the group, then reaps.
  void kill() noexcept;
  int pid() const;
  /// For poll(2): the end of its output's pipe; -1 once output has ended.
  int output() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imgforge::core
