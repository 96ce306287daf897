// Built without it, all libraries are loaded at the start and there is nothing to see.
#ifdef IMGFORGE_LATE

#include "core/late_library.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "core/error.hpp"
#include "support/late_caller.hpp"

namespace imgforge::core {

extern "C" void* imgforge_late_bind(const LateLibrary* library, std::size_t index);

namespace {

constexpr const char* kCallee = "liblate_callee.so.1";

bool loaded(const char* file) {
  void* handle = ::dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
  if (handle != nullptr) ::dlclose(handle);
  return handle != nullptr;
}

/// Runs it in a process that has loaded nothing yet; the exit code is what it returns.
template <class Body>
void expect_in_fresh_process(Body body) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(::_Exit(body() ? 0 : 1), testing::ExitedWithCode(0), "");
}

TEST(LateLibrary, IsLoadedByTheFirstCallAndTheArgumentsArrive) {
  expect_in_fresh_process([] {
    const bool before = loaded(kCallee);
    const std::string answer = call_late_functions();
    return !before && answer == "204 285 6 3 4 7" && loaded(kCallee) && call_late_functions() == answer;
  });
}

TEST(LateLibrary, AllAreLoadedForAProcessThatMayNotLater) {
  expect_in_fresh_process([] {
    load_late_libraries();
    const bool there = loaded(kCallee) && loaded("libcrypto.so.3");
    forbid_late_libraries();
    return there && call_late_functions() == "204 285 6 3 4 7";
  });
}

TEST(LateLibrary, IsNeverLoadedWhereThatIsForbidden) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        forbid_late_libraries();
        call_late_functions();
      },
      testing::KilledBySignal(SIGABRT), "");
}

struct Asked {
  const char* file;
  const char* function;
  const char* message;
};

TEST(LateLibrary, WhatIsMissingIsNamed) {
  for (const Asked& asked : {Asked{"libnowhere.so.7", "f", "libnowhere.so.7"},
                             Asked{"libm.so.6", "no_such_function", "no_such_function"}}) {
    SCOPED_TRACE(asked.file);
    const std::array<const char*, 1> names{asked.function};
    std::array<void*, 1> slots{};
    const LateLibrary library{asked.file, names.data(), slots.data(), 1};
    try {
      imgforge_late_bind(&library, 0);
      FAIL() << "bound";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::kMachine);
      EXPECT_NE(std::string(error.what()).find(asked.message), std::string::npos) << error.what();
    }
    EXPECT_EQ(slots[0], nullptr);
  }
}

}  // namespace
}  // namespace imgforge::core

#endif
