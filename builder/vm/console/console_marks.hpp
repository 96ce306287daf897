// What a line of a console tells of how far a start has come.
#pragma once

#include <string_view>

namespace imgforge::vm {

/// A Linux kernel said its version.
bool shows_kernel(std::string_view line);
/// The first program of user space runs: the kernel said so, or imgforge's initramfs speaks.
bool shows_init(std::string_view line);

/// What is waited for where nothing else is known to mean "ready".
inline constexpr const char* kLoginPrompt = "login:";

}  // namespace imgforge::vm
