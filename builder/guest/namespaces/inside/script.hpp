// A script of an image, run by the init of a sandbox in a mount and PID namespace of its own, which end with
// it and take every process along that it has left.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "builder/guest/namespaces/common/id_map.hpp"
#include "core/bytes.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {

struct ScriptCall {
  std::vector<std::string> words;  ///< argv; the program is a path in the root
  std::string media;               ///< folder on the stage to be seen; may be empty
  core::Bytes file_limit;
  Ids ids = Ids::kRange;
};

/// Ends of pipes and the process that stands for all of the script: killing it kills them.
struct RunningScript {
  pid_t process = -1;
  core::Fd output;   ///< standard output, and standard error unless that is apart
  core::Fd errors;   ///< standard error, when apart
  core::Fd owners;   ///< where its system calls about owners are to be answered (notify.hpp); may be empty
  core::Fd failure;  ///< what kept it from starting: step and errno as two numbers; empty when it started
};

enum class Streams { kTogether, kApart };

/// Starts it, with kScriptEnvironment and nothing else. Its process ends with the exit code of the script,
/// 128 + n for signal n.
RunningScript start_script(const ScriptCall& call, Streams streams);

}  // namespace imgforge::guest
