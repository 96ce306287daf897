#include "builder/vm/console/complaints.hpp"

#include <gtest/gtest.h>

namespace imgforge::vm {
namespace {

TEST(Complaints, FailedServicesAndCrashesAreSeen) {
  for (const char* line :
       {" * ERROR: networking failed to start",
        " * ERROR: cannot start chronyd as networking would not start",
        " * start-stop-daemon: failed to start `/usr/sbin/sshd'",
        "supervise-daemon: /usr/bin/voice, pid 312, respawned too many times, exiting",
        "can't run '/usr/bin/ui': No such file or directory",
        "[    4.201938] voice[211]: segfault at 8 ip 000055d0 sp 00007ffd error 4 in voice[55d0+1000]",
        "traps: ui[300] general protection fault ip:7f sp:7f error:0 in libc.so",
        "Out of memory: Killed process 211 (voice) total-vm:81920kB"}) {
    EXPECT_TRUE(is_complaint(line)) << line;
  }
}

TEST(Complaints, OrdinaryLinesAreNone) {
  for (const char* line :
       {" * Starting networking ...", "Welcome to Alpine Linux 3.19", "localhost login: ", "",
        "[    1.0] EXT4-fs error handling is fine", "ERROR: nothing here", "imgforge: root is up"}) {
    EXPECT_FALSE(is_complaint(line)) << line;
  }
}

}  // namespace
}  // namespace imgforge::vm
