// The other host of a move: imgforge there, started by ssh, or here with another state folder. What it is
// sent and what it answers goes through its standard streams, so nothing but ssh has to be reachable.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/machines/registry/move_mark.hpp"
#include "core/cancel.hpp"
#include "core/fd.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// Throws kUsage for what is neither ssh://[USER@]HOST[:PORT] nor an absolute path.
void check_destination(const std::string& to);

/// The command line that runs `imgforge WORDS` there. `program`: this one, for another state folder of this
/// host.
struct PeerCommand {
  std::vector<std::string> words;
  std::string state_home;  ///< XDG_STATE_HOME for it; empty: as it is
};
PeerCommand peer_command(const Destination& destination, const std::vector<std::string>& words,
                         const std::string& program);

/// One such command. It is killed by the destructor, and by the kernel when this process ends.
class Peer {
 public:
  /// With `both`, that descriptor is its standard input and output.
  explicit Peer(const PeerCommand& command, int both = -1);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  int input() const { return in_.get(); }
  void say(std::string_view text);
  void close_input() { in_.reset(); }
  /// The next line that it says, as JSON. Throws kTimeout, and its error when it ends before.
  core::Json next(std::chrono::milliseconds patience, const core::CancelToken& cancel);
  /// Waits for its end, which has to be a success. Throws its error otherwise.
  void finish(std::chrono::milliseconds patience, const core::CancelToken& cancel);
  /// What it said of warnings, escaped, line by line.
  std::vector<std::string> warnings() const;

 private:
  std::string said() const;
  [[noreturn]] void fail() const;

  pid_t pid_ = -1;
  int code_ = 0;
  bool ended_ = false;
  core::Fd in_;
  core::Fd out_;
  core::Fd err_;
  std::string pending_;
};

/// Runs one command there, with `input`, and returns the one line of JSON that it answers with.
core::Json ask_peer(const PeerCommand& command, std::string_view input, std::chrono::milliseconds patience,
                    const core::CancelToken& cancel);

/// Copies between this process's standard streams and a socket until one of them ends.
void relay_streams(core::Fd socket);

}  // namespace imgforge::machines
