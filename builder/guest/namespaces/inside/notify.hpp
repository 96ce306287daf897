// System calls about owners, answered by init: a sandbox with one id has a kernel that knows no other owner.
// A filter stops them (seccomp_unotify(2)); init finds the file as the caller would, lets the kernel change
// its owner to the one there is, with all that follows from it for set-id bits and file capabilities, and
// remembers the owner that was meant.
#pragma once

#include "builder/guest/namespaces/common/owners.hpp"
#include "builder/guest/namespaces/inside/new_files.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

/// Lets a filter of libseccomp stop them. StepFailure.
void add_answered_calls(void* filter);
/// Stops them for this process and all it starts. What comes out is where init hears of them. StepFailure.
core::Fd answer_owner_calls();

/// On which a new process hands the descriptor to init.
class ListenerPair {
 public:
  ListenerPair();
  int inner() const { return inner_.get(); }
  /// In the new process, which keeps neither; without a descriptor it says so. StepFailure.
  static void hand_over(int inner, core::Fd listener);
  /// In init: waits for it. Empty when the process ended before.
  core::Fd receive();

 private:
  core::Fd outer_;
  core::Fd inner_;
};

/// Init's side, for one script.
class OwnerCalls {
 public:
  explicit OwnerCalls(core::Fd listener) : listener_(std::move(listener)) {}

  int fd() const { return listener_.get(); }
  /// Answers one, when the descriptor is readable.
  void answer(Owners& owners);
  /// After the end of the script.
  void finish(Owners& owners) { new_files_.settle(0, owners); }
  /// Some process wanted to become another account, which the kernel has refused.
  bool wanted_account() const { return wanted_account_; }

 private:
  core::Fd listener_;
  NewFiles new_files_;
  bool wanted_account_ = false;
};

}  // namespace imgforge::guest
