// Digests of imgforge's own code, room by room. What of it shapes a step's bytes is part of the step's
// fingerprint, so that nobody must remember to raise a number: a changed clean-up, operation or image writer
// makes anew what it made, and nothing else. code_digests.cmake takes them when imgforge is built.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "builder/engine/step.hpp"

namespace imgforge::steps {

struct CodeDigest {
  std::string_view room;    ///< "builder/guest": a folder with all below it, or a unit without its ending
  std::string_view sha256;  ///< hex, over names and sha256 of its sources
};

/// All that fingerprints may name; the list stands in CMakeLists.txt.
std::span<const CodeDigest> code_digests();

/// Those of `rooms`, as a step's tools. kInternal for a room without digest.
engine::Tools code_of(std::initializer_list<std::string_view> rooms);

}  // namespace imgforge::steps
