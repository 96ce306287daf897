// One loop over independent items on all cores, for hashing and for reading many small files.
#pragma once

#include <cstddef>
#include <functional>

namespace imgforge::artifacts {

/// Runs `body(0)` to `body(count - 1)`, each once, on at most `threads` threads (0: one a core) that take the
/// next index as they become free. The first exception ends the handing out and is thrown after all threads
/// have stopped.
void for_each_parallel(std::size_t count, const std::function<void(std::size_t)>& body, unsigned threads = 0);

}  // namespace imgforge::artifacts
