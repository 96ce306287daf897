// The control socket of a running machine, as commands use it. Both sides speak JSON, one object a line:
//
//   {"command": "status"}                                 -> {"return": STATUS}
//   {"command": "watch", "owner": false}                  -> {"return": STATUS}, then events as they happen:
//        {"event": "state", "name": "kernel", "seconds": 1.2}, {"event": "restart"}, {"event": "paused",
//        "why":
//        "..."}, {"event": "resumed"}, {"event": "memory", "bytes": 268435456, "why": "..."}, {"event":
//        "end", "how":
//        "..."} With "owner": true the machine ends when this connection does.
//   {"command": "agent", "request": {...}, "seconds": 10} -> {"return": ...} of the guest's agent, as it is
//   {"command": "qmp", "request": {...}}                  -> {"return": ...} of QEMU
//   {"command": "stop", "how": "ask" | "kill"}            -> {"return": {}}; the machine's end is seen by its
//   lock
//   {"command": "move"} -> {"return": {}}; when this connection ends without {"command": "move", "ends":
//   true},
//        the machine's process decides which of two may run (supervisor/move_guard.hpp)
//   {"command": "attach", "write": true}                  -> {"return": {"writes": true}}, then the console's
//        bytes: the last 64 KiB first
//
// A failure is {"error": {"kind": "E_...", "message": "..."}}. One request at a time is answered.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "builder/machines/control/channel.hpp"
#include "core/cancel.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::machines {

inline constexpr const char* kControlSocket = "control.sock";
/// Bound of a line in either direction; the output of a command in the guest has to fit.
inline constexpr std::size_t kLongestControlLine = 64 << 20;

class Control {
 public:
  /// Nothing when the machine in `folder` does not run.
  static std::optional<Control> connect(const std::filesystem::path& folder);
  /// The same for one that has to run. Throws kUsage when it does not.
  static Control require(const std::filesystem::path& folder);

  /// Asks and returns what "return" has. Throws the error that came instead; kTimeout; kBoot when the machine
  /// ends meanwhile.
  core::Json ask(const core::Json& request, std::chrono::milliseconds patience,
                 const core::CancelToken& cancel);
  /// The next line; nothing when none came within `patience`. Throws kBoot at the machine's end.
  std::optional<core::Json> next(std::chrono::milliseconds patience, const core::CancelToken& cancel);
  /// For the console's bytes after "attach".
  Channel& channel() { return channel_; }

 private:
  explicit Control(core::Fd fd) : channel_(std::move(fd), kLongestControlLine) {}
  Channel channel_;
};

}  // namespace imgforge::machines
