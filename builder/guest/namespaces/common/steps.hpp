// The steps on the way into a sandbox of namespaces. Each can be forbidden by a kernel, a container or a
// security module; the failed one is named, with what mends it.
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace imgforge::guest {

enum class Step {
  kFork,
  kUnshare,
  kMap,
  kBecomeRoot,
  kMountTmpfs,
  kMountProc,
  kMountRoot,
  kPivot,
  kConfine,
  kNotify,
  kShell
};

/// "making namespaces"
std::string_view step_name(Step step);

/// A step that failed. Thrown on both sides of the fork.
struct StepFailure {
  Step step;
  int error_number;
  std::string mend = {};  ///< in words, where the place of the failure knows better than mend_of()
};

/// Throws StepFailure with errno when `result` is negative; gives it back else.
template <class Result>
Result require(Result result, Step step);

/// What an administrator can do about it.
std::string mend_of(const StepFailure& failure);
/// kMachine, with step, errno and mend.
core::Error error_of(const StepFailure& failure);

namespace detail {
[[noreturn]] void throw_failure(Step step);
}

template <class Result>
Result require(Result result, Step step) {
  if (result < 0) detail::throw_failure(step);
  return result;
}

}  // namespace imgforge::guest
