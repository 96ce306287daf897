// A machine's serial console on this terminal.
#pragma once

#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {

enum class ConsoleUse { kReadAndWrite, kRead };
enum class ConsoleEnd {
  kLeft,   ///< by the escape, or because the input ended
  kEnded,  ///< the machine did
};

/// Shows the last 64 KiB that the console said and what follows, and types what comes from standard input,
/// until Ctrl-] is typed or the machine ends. A terminal is in raw mode meanwhile and acts upon what the
/// guest says.
ConsoleEnd attach_console(const Context& context, machines::Control& control, ConsoleUse use);

}  // namespace imgforge::cli
