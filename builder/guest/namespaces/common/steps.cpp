#include "builder/guest/namespaces/common/steps.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace imgforge::guest {
namespace {

constexpr std::string_view kForbidden =
    "user namespaces are forbidden here: an AppArmor profile for imgforge allows them on Ubuntu "
    "(kernel.apparmor_restrict_unprivileged_userns), kernel.unprivileged_userns_clone=1 on older Debian, and "
    "\"docker run --security-opt seccomp=unconfined\" in a container";

}  // namespace

std::string_view step_name(Step step) {
  switch (step) {
    case Step::kFork:
      return "starting a process";
    case Step::kUnshare:
      return "making namespaces";
    case Step::kMap:
      return "mapping 65536 user and group ids";
    case Step::kBecomeRoot:
      return "becoming root of the namespace";
    case Step::kMountTmpfs:
      return "mounting a tmpfs";
    case Step::kMountProc:
      return "mounting /proc";
    case Step::kMountRoot:
      return "mounting the root folder";
    case Step::kPivot:
      return "changing the root (pivot_root)";
    case Step::kConfine:
      return "giving up rights";
    case Step::kNotify:
      return "answering system calls about owners";
    case Step::kShell:
      return "starting /bin/sh";
  }
  return "starting";
}

std::string mend_of(const StepFailure& failure) {
  if (!failure.mend.empty()) return failure.mend;
  switch (failure.step) {
    case Step::kFork:
      return "allow more processes (ulimit -u)";
    case Step::kUnshare:
      if (failure.error_number == ENOSPC)
        return "allow user namespaces: sysctl user.max_user_namespaces=10000";
      if (failure.error_number == EINVAL) return "use a kernel that has user namespaces (CONFIG_USER_NS)";
      return std::string(kForbidden);
    case Step::kMountProc:
      return "parts of /proc are hidden, as in a container: \"docker run --security-opt "
             "systempaths=unconfined\", \"podman run --security-opt unmask=ALL\"";
    case Step::kMountTmpfs:
    case Step::kMountRoot:
    case Step::kPivot:
      if (failure.error_number == ENOSYS) return "use Linux 5.12 or newer";
      return std::string(kForbidden);
    case Step::kMap:
    case Step::kBecomeRoot:
      return "65536 user and group ids are needed: run as root, or give the user ranges in /etc/subuid and "
             "/etc/subgid";
    case Step::kConfine:
      return "use a kernel with seccomp filters (CONFIG_SECCOMP_FILTER)";
    case Step::kNotify:
      return "give the user ranges of 65536 ids in /etc/subuid and /etc/subgid; with one id, what answers "
             "system "
             "calls here already (a container) or forbids to look into processes "
             "(kernel.yama.ptrace_scope=3) must go";
    case Step::kShell:
      return {};
  }
  return {};
}

core::Error error_of(const StepFailure& failure) {
  core::Error error(core::Kind::kMachine,
                    fmt::format("a sandbox of namespaces does not start: {}: {}", step_name(failure.step),
                                std::generic_category().message(failure.error_number)));
  return std::move(error.hint(mend_of(failure)));
}

namespace detail {
void throw_failure(Step step) {
  throw StepFailure{step, errno};
}
}  // namespace detail

}  // namespace imgforge::guest
