// A command in a machine, by its agent.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/vm/vm.hpp"

namespace imgforge::cli {

/// Runs it, prints both of its streams (or all of it as JSON) and returns its exit code.
int exec_in_machine(const Context& context, machines::Control& control, const std::vector<std::string>& words,
                    std::string_view input, std::chrono::milliseconds patience);

}  // namespace imgforge::cli
