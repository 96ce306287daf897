#include "builder/inspect/held_programs.hpp"

#include "core/error.hpp"

namespace imgforge::inspect {
namespace {

bool has_namespaces(core::ProcessRunner& processes, const core::CancelToken& cancel) {
  static const bool has = [&] {
    core::Command trial;
    trial.program = "unshare";
    trial.args = {"--user", "--net", "--ipc", "true"};
    try {
      return processes.run(trial, cancel).exit_code == 0;
    } catch (const core::Error& error) {
      if (error.kind() != core::Kind::kMachine) throw;
      return false;
    }
  }();
  return has;
}

}  // namespace

core::ProcessResult HeldPrograms::run(const core::Command& command, const core::CancelToken& cancel) {
  const std::filesystem::path program = core::find_program(command.program);
  if (program.empty()) return processes_.run(command, cancel);  // which says so
  core::Command held = command;
  held.program = "prlimit";
  held.args = {"--as=2147483648", "--cpu=600",      "--fsize=0", "--core=0", "--",
               "setpriv",         "--no-new-privs", "--"};
  if (has_namespaces(processes_, cancel))
    held.args.insert(held.args.end(), {"unshare", "--user", "--net", "--ipc", "--"});
  held.args.push_back(program.native());
  held.args.insert(held.args.end(), command.args.begin(), command.args.end());
  return processes_.run(held, cancel);
}

}  // namespace imgforge::inspect
