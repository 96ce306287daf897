// A process whose system call init answers: its memory, its descriptors, and where its paths lead.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <string>

#include "core/fd.hpp"

namespace imgforge::guest {

/// A call that fails, and how.
struct Refusal {
  int error_number;
};

class Caller {
 public:
  /// Refusal when it is gone.
  Caller(int listener, const seccomp_notif& call);

  int number() const { return static_cast<int>(call_.pid); }
  std::uint32_t argument(int place) const { return static_cast<std::uint32_t>(call_.data.args[place]); }
  /// A path in its memory.
  std::string path(int place) const;
  void write(int place, const void* value, std::size_t size) const;

  /// What its descriptor stands for, AT_FDCWD for its current folder. Opened as a path only, as all here.
  core::Fd descriptor(int number) const;
  /// The file that its path leads to, from its current folder or from `folder`, below its root; `flags`: of
  /// fstatat. Links of /proc lead nowhere: they would be those of init.
  core::Fd file(int folder, const std::string& path, unsigned flags) const;
  /// Everything opened so far was that of the caller, and not of a later process with its number. Refusal.
  void must_still_wait() const;

 private:
  core::Fd open(const std::string& name, int flags) const;

  int listener_;
  const seccomp_notif& call_;
  core::Fd memory_;  ///< of the program that it runs now
};

}  // namespace imgforge::guest
