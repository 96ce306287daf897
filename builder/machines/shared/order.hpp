// Commands for a machine as lines of host-to-vm.txt, without their numbers. What an image does not allow is
// known before anything is written: its manifest says what it allows.
#pragma once

#include <string>
#include <vector>

#include "builder/machines/registry/settings.hpp"

namespace imgforge::machines {

/// {"restart", "voice-service"} as "restart: voice-service"; {"shutdown"} as "shutdown: graceful". Throws
/// kUsage for what is no command.
std::string order_of(const std::vector<std::string>& words);
/// The words of a message as "message: ...". Throws kUsage for control characters, what is not UTF-8,
/// nothing, and more than 240 bytes.
std::string message_order(const std::vector<std::string>& words);
/// Throws kUsage when the machine's image does not do that. Of an image that no manifest describes anything
/// is believed.
void check_allowed(const Settings& settings, const std::string& order);

}  // namespace imgforge::machines
