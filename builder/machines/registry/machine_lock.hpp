// The lock of a machine's folder, which is its state: a machine runs exactly as long as a process has the
// first byte of `lock` locked, and the kernel frees it with that process, however it ended.
//
// The first byte has a lock of the process (fcntl(2) F_SETLK), so that the kernel can say whose it is. Such a
// lock is gone as soon as its process closes any descriptor of the file: whoever has it opens the file once.
// Two more bytes have locks of the open file: one is held by a command from before it starts or changes the
// machine until it is done, the other by whoever looks at the folder and then runs or removes the machine.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "core/cancel.hpp"
#include "core/fd.hpp"

namespace imgforge::machines {

class MachineLock {
 public:
  /// Opens the lock of a machine's folder, which is made if it is not there.
  explicit MachineLock(const std::filesystem::path& folder);

  /// Makes this process the one that runs the machine, until it ends. Throws kLocked when there is one.
  void run();
  /// Makes this command the only one that starts or changes the machine, until destruction. Throws kLocked
  /// when another one does so for longer than `patience`.
  void command(std::chrono::milliseconds patience, const core::CancelToken& cancel);
  /// Keeps the machine from being run or removed by others, until `let_others` or destruction. Throws
  /// likewise.
  void decide(std::chrono::milliseconds patience, const core::CancelToken& cancel);
  void let_others();

 private:
  void take(off_t byte, std::chrono::milliseconds patience, const core::CancelToken& cancel);

  std::filesystem::path folder_;
  core::Fd fd_;
};

/// The process that runs the machine; nothing when none does. Not to be asked by that process itself.
std::optional<pid_t> process_of(const std::filesystem::path& folder);

/// True while a process runs the machine, or its QEMU has the disk open for a last moment.
bool is_running(const std::filesystem::path& folder);

/// Waits until that is over; false at the deadline.
bool wait_until_stopped(const std::filesystem::path& folder, std::chrono::milliseconds patience,
                        const core::CancelToken& cancel);

/// SIGKILL to the process that runs the machine, whose QEMU goes with it. What is there of the machine does
/// not matter. Returns false when none ran. Throws kTimeout when it does not end.
bool kill_machine(const std::filesystem::path& folder, const core::CancelToken& cancel);

}  // namespace imgforge::machines
