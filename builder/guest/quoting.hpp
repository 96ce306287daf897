// Text for the guest's shell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::guest {

/// `text` as one word of a POSIX shell script.
std::string shell_quoted(std::string_view text);
/// Lines as arguments of printf '%s\n'.
std::string shell_words(const std::vector<std::string>& words);

}  // namespace imgforge::guest
