// Libraries that are loaded when one of their functions is called for the first time. Most commands need few
// of the libraries that imgforge stands on, and loading all takes longer than what a short command does. For
// each library that a module names under LATE (CMakeLists.txt) the build makes a stub of each function that
// the module calls (core/late_stubs.cmake); a stub jumps through a slot, which first leads here and then to
// the function.
#pragma once

#include <cstddef>

namespace imgforge::core {

/// Of one module and library: what the stubs of late_stubs.cmake stand on.
struct LateLibrary {
  const char* file;          ///< as the dynamic loader finds it: "libarchive.so.13"
  const char* const* names;  ///< functions
  void** slots;              ///< where the stub of each name jumps to
  std::size_t count;
};

/// Loads what is not loaded yet, and binds each function. Whoever forks a process that gives up its files,
/// its root or its right to open some calls this before. Throws kMachine.
void load_late_libraries();

/// From now on this process ends (abort) rather than load a library: for one whose file system is somebody
/// else's.
void forbid_late_libraries();

}  // namespace imgforge::core
