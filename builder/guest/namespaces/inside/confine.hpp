// What a script of an image may not do, though it is root of its namespaces: guard rails, since the kernel it
// talks to is that of the host.
#pragma once

#include "builder/guest/namespaces/common/id_map.hpp"
#include "core/bytes.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

struct Limits {
  core::Bytes file;  ///< largest file
  unsigned processes = 1024;
  unsigned files = 1024;  ///< open in one process; it may ask for four times as many
};

/// Gives up, for this process and all it starts: capabilities that package scripts do not need, new
/// privileges, system calls that change namespaces or mounts, reach into other processes or have a long list
/// of past holes, sockets but of AF_UNIX, and, where the kernel has Landlock, writing outside the current
/// root. StepFailure. With one id: gives the descriptor where init hears of system calls about owners.
core::Fd confine(const Limits& limits, Ids ids);

}  // namespace imgforge::guest
