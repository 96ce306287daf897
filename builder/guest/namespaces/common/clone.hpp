// New processes by clone3, as fork does but with namespaces of their own.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace imgforge::guest {

/// 0 in the new process, its number in the old one, -1 with errno. Only for a process with one thread: locks
/// of the C library that another thread holds would stay locked in the new one.
pid_t clone_process(std::uint64_t namespaces);

/// A descriptor that becomes readable when the process ends; -1 with errno. (The C library of Debian 12
/// declares pidfd_open for C alone.)
int open_process(pid_t process);

}  // namespace imgforge::guest
