// One loop over independent items on several threads, for hashing and for reading many small files. All of
// its threads have ended when it returns or throws.
#pragma once

#include <cstddef>
#include <functional>

namespace imgforge::core {

/// As many threads as the machine has cores.
inline constexpr unsigned kOneACore = 0;

/// Runs `body(0)` to `body(count - 1)`, each once, on at most `limit` threads, the caller's among them, that
/// take the next index as they become free. After an exception no further index is handed out; the first one
/// is thrown once all that had begun has ended.
void for_each_parallel(std::size_t count, unsigned limit, const std::function<void(std::size_t)>& body);

}  // namespace imgforge::core
