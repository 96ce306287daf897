// Starting a machine's process, and following how far the machine comes.
#pragma once

#include <chrono>
#include <string>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/settings.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::cli {

/// This program, under its own name in lists of processes where that still leads to it.
std::string this_program();

/// Starts the process of a machine, detached from this one. Returns once QEMU runs, and throws what kept it
/// from that. kLocked when the machine runs, or another command is starting it.
/// `more` are further words for `vm supervise`.
void start_machine(const Context& context, const machines::Registry& registry, const std::string& name,
                   const std::vector<std::string>& more = {});

/// Follows a running machine until it has reached a state ("ready", ...), telling the states on the way. Its
/// process answers on `control` with "watch", which must have been asked for: `status` is the answer. Returns
/// the status with all states. Throws kTimeout, and kBoot when the machine ends before, both quoting the
/// console.
core::Json follow(const Context& context, machines::Control& control, core::Json status,
                  const std::filesystem::path& folder, const std::string& wanted,
                  std::chrono::milliseconds deadline);

/// Starts and follows; --for and --timeout of `vm run` and `vm start`.
struct StartOptions {
  std::string wanted = "ready";
  unsigned timeout = 300;  ///< seconds
};
void declare_start_options(OptionSet& set, StartOptions& options);
core::Json start_and_follow(const Context& context, const machines::Registry& registry,
                            const machines::Settings& settings, const StartOptions& options);

/// What `settings` can never reach is refused, kUsage.
void check_can_reach(const machines::Settings& settings, const std::string& wanted);

/// The result of a start: as JSON, or a line.
void print_start(const Context& context, const core::Json& status);

}  // namespace imgforge::cli
