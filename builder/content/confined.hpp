// Work on foreign bytes in a child process that can do nothing but compute, read descriptors that are open
// already, and write its answer: whatever a parser can be made to do ends there.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/cancel.hpp"

namespace imgforge::content {

struct ConfinedLimits {
  core::Bytes memory = core::gib(2);  ///< address space
  std::chrono::seconds processor{60};
  std::chrono::seconds time{7200};
  std::size_t answer = 1 << 20;  ///< bytes; a longer one is none
};

/// What held the child: system calls and limits always, the others where the machine has them.
struct Confinement {
  bool namespaces = false;
  bool landlock = false;
};

struct Answer {
  std::string text;
  Confinement confinement;
};

/// Runs `body` in a child with these descriptors and no others, and returns what it returns. There the body
/// may allocate, start threads, read and seek; it opens no file by name, makes no socket, starts no program,
/// sends no signal. Throws kImage, with the reason kMalformed, when the child was killed, died, ran into a
/// limit or gave no whole answer; kInterrupted when cancelled.
Answer run_confined(const std::function<std::string()>& body, const std::vector<int>& descriptors,
                    const ConfinedLimits& limits, const core::CancelToken& cancel);

}  // namespace imgforge::content
