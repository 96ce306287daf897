// Changes of owners by every system call there is, run inside a sandbox: what they answer and what comes of
// them must be the same wherever the owners are kept.
#pragma once

#include <string_view>

/// Prints a line for each call. The exit code.
int change_owners(std::string_view what);
