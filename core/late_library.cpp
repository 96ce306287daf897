#include "core/late_library.hpp"

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

std::atomic<bool> forbidden{false};

std::string loader_error() {
  const char* text = ::dlerror();
  return text != nullptr ? text : "unknown error";
}

/// The library stays to the end: a slot once bound is never looked at again.
void* open_library(const LateLibrary& library) {
  if (forbidden) std::abort();
  void* handle = ::dlopen(library.file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    throw Error(Kind::kMachine, "a library cannot be loaded: " + loader_error())
        .hint("install the package that it belongs to");
  }
  return handle;
}

void* bind(const LateLibrary& library, void* handle, std::size_t index) {
  void* function = ::dlsym(handle, library.names[index]);
  if (function == nullptr)
    throw Error(Kind::kMachine, "a library is not the one imgforge was built for: " + loader_error());
  // Threads may meet here: all of them write the same.
  std::atomic_ref(library.slots[index]).store(function, std::memory_order_release);
  return function;
}

}  // namespace

// Where the build puts a pointer to each LateLibrary; there may be none.
extern "C" const LateLibrary* const __start_imgforge_late[] __attribute__((weak, visibility("hidden")));
extern "C" const LateLibrary* const __stop_imgforge_late[] __attribute__((weak, visibility("hidden")));

/// Called by a stub whose function is not bound yet; it jumps to what this returns.
extern "C" void* imgforge_late_bind(const LateLibrary* library, std::size_t index) {
  return bind(*library, open_library(*library), index);
}

void load_late_libraries() {
  for (const LateLibrary* const* at = __start_imgforge_late; at != __stop_imgforge_late; ++at) {
    void* handle = open_library(**at);
    for (std::size_t index = 0; index < (*at)->count; ++index) bind(**at, handle, index);
  }
}

void forbid_late_libraries() {
  forbidden = true;
}

}  // namespace imgforge::core
