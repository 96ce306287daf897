// Signals of a machine's process, as something to poll.
#pragma once

#include "core/fd.hpp"

namespace imgforge::machines {

class Signals {
 public:
  /// From now on SIGTERM, SIGINT, SIGHUP and SIGCHLD come here and do nothing else.
  Signals();
  int fd() const { return fd_.get(); }
  /// Takes what came; how often it was asked to end.
  unsigned take();

 private:
  core::Fd fd_;
};

}  // namespace imgforge::machines
