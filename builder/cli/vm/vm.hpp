// The commands about machines, `imgforge vm ...`: one file each, and what they share.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "builder/cli/frame/command.hpp"
#include "builder/machines/control/control.hpp"
#include "builder/machines/registry/registry.hpp"
#include "builder/machines/registry/state.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::cli {

// Each declares one command, or some that belong together, below `vm`.
void declare_vm_run(OptionSet& vm);
void declare_vm_start(OptionSet& vm);  ///< and restart
void declare_vm_autostart(OptionSet& vm);
void declare_vm_supervise(OptionSet& vm);
void declare_vm_stop(OptionSet& vm);
void declare_vm_list(OptionSet& vm);
void declare_vm_show(OptionSet& vm);
void declare_vm_logs(OptionSet& vm);
void declare_vm_remove(OptionSet& vm);
void declare_vm_wait(OptionSet& vm);
void declare_vm_exec(OptionSet& vm);
void declare_vm_attach(OptionSet& vm);
void declare_vm_ssh(OptionSet& vm);
void declare_vm_keys(OptionSet& vm);
void declare_vm_base(OptionSet& vm);
void declare_vm_cp(OptionSet& vm);
void declare_vm_address(OptionSet& vm);
void declare_vm_screenshot(OptionSet& vm);
void declare_vm_snapshot(OptionSet& vm);
void declare_vm_resize(OptionSet& vm);
void declare_vm_command(OptionSet& vm);
void declare_vm_message(OptionSet& vm);
void declare_vm_log(OptionSet& vm);
void declare_vm_define(OptionSet& vm);
void declare_vm_export(OptionSet& vm);
void declare_vm_fork(OptionSet& vm);
void declare_vm_import(OptionSet& vm);
void declare_vm_migrate(OptionSet& vm);
void declare_vm_receive(OptionSet& vm);
void declare_vm_up(OptionSet& vm);
void declare_vm_down(OptionSet& vm);
void declare_vm_ps(OptionSet& vm);
void declare_vm_top(OptionSet& vm);
void declare_vm_dashboard(OptionSet& vm);

/// All machines of this user.
machines::Registry machine_registry();

/// Declares the machine's name as the next positional.
void declare_machine(OptionSet& set, std::string& name);

/// The process of a machine that has to run; its settings are not looked at.
machines::Control control_of(const std::string& name);

/// What the process says of the machine; nothing when it does not run, or does not answer within a moment.
std::optional<core::Json> status_of(const std::filesystem::path& folder, const core::CancelToken& cancel);

/// The last state that a running machine has reached, or "paused", "stopping"; "running" without a status.
std::string reached_state(const std::optional<core::Json>& status);

/// "kernel 1.2 s · ready 4.0 s" of the member "states" of a status.
std::string states_text(const core::Json& status);

/// The last lines of the machine's console, escaped.
std::string console_tail(const std::filesystem::path& folder, std::size_t lines);

/// Prints what a guest said: as it is, but printable where a terminal would act upon it.
void print_guest_text(int fd, std::string_view text);

}  // namespace imgforge::cli
