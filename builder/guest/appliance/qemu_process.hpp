// The processes behind an appliance, found and ended without the library's help: while a library call
// is under way no other thread can ask the library for anything.
#pragma once

#include <sys/types.h>

#include <string>

#include "core/fd.hpp"

namespace imgforge::guest {

/// SIGKILL to every process that the thread `thread` of this process started, and to their children. For the
/// time of a launch, in which the library starts supermin, QEMU (to ask what it can do) and then the
/// appliance.
void kill_children_of_thread(pid_t thread);

/// Removes the folder of the socket through which the library and the QEMU `pid` talk. Once they are
/// connected nobody needs it, and it is the one thing that a killed build would leave in /tmp.
void remove_socket_folder(pid_t pid);

/// One process, held so that its number cannot come to mean another one (pidfd_open(2)).
class ProcessHandle {
 public:
  ProcessHandle() = default;
  explicit ProcessHandle(pid_t pid);
  /// SIGKILL; nothing happens when it has ended.
  void kill() const noexcept;
  bool running() const noexcept;

 private:
  core::Fd fd_;
};

}  // namespace imgforge::guest
