#include "builder/guest/namespaces/common/clone.hpp"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace imgforge::guest {

pid_t clone_process(std::uint64_t namespaces) {
  clone_args args{};
  args.flags = namespaces;
  args.exit_signal = SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

int open_process(pid_t process) {
  return static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
}

}  // namespace imgforge::guest
