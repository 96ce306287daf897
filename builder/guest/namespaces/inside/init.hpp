// The process that a sandbox of namespaces consists of: PID 1 of its namespaces, on the stage (mounts.hpp).
// It does what imgforge asks for, one thing at a time, and ends when imgforge does.
#pragma once

#include "builder/guest/namespaces/common/id_map.hpp"
#include "builder/guest/namespaces/inside/mounts.hpp"

namespace imgforge::guest {

/// What can be asked for: the first field of a message.
namespace request {
constexpr const char* kUnpack = "unpack";  ///< folder; descriptor: the archive
constexpr const char* kPack = "pack";      ///< folder, patterns...; descriptor: where to
constexpr const char* kWrite = "write";    ///< path, content
constexpr const char* kRead = "read";      ///< path -> content
constexpr const char* kRemove = "remove";  ///< path of a folder
constexpr const char* kShow = "show";      ///< folder among those handed over; empty: none
constexpr const char* kRun = "run";        ///< seconds -> exit code, timed out, output
constexpr const char* kQuery = "query";    ///< seconds, argv... -> exit code, timed out, output, errors
constexpr const char* kTry = "try";        ///< moves into the root once and does nothing
constexpr const char* kAbort = "abort";    ///< while something else is done: no more of that
}  // namespace request

/// Serves requests from `socket` until its other side is closed. Answers are "ok" with results or an error.
[[noreturn]] void serve(int socket, const RootLimits& limits, Ids ids);

}  // namespace imgforge::guest
