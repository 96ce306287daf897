#include "builder/cli/vm/vm.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "builder/machines/supervisor/talk/console_log.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

constexpr std::chrono::milliseconds kMoment{1000};
constexpr std::uint64_t kTail = 64 << 10;

}  // namespace

machines::Registry machine_registry() {
  return machines::Registry(state_dir() / "machines");
}

void declare_machine(OptionSet& set, std::string& name) {
  set.positional("machine", name, "name of the machine").required();
}

machines::Control control_of(const std::string& name) {
  return machines::Control::require(machine_registry().find(name).folder);
}

std::optional<core::Json> status_of(const std::filesystem::path& folder, const core::CancelToken& cancel) {
  try {
    auto control = machines::Control::connect(folder);
    if (!control) return std::nullopt;
    return control->ask({{"command", "status"}}, kMoment, cancel);
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kInterrupted) throw;
    return std::nullopt;
  }
}

std::string reached_state(const std::optional<core::Json>& status) {
  if (!status) return "running";
  if (const std::string paused = status->value("paused", ""); !paused.empty()) return "paused";
  if (status->value("stopping", false)) return "stopping";
  const core::Json& states = status->at("states");
  for (const core::Json& state : states)
    if (state.at("name") == "ready") return "ready";
  return states.empty() ? "running" : states.back().at("name").get<std::string>();
}

std::string states_text(const core::Json& status) {
  std::vector<std::string> words;
  for (const core::Json& state : status.at("states"))
    words.push_back(fmt::format("{} {}", state.at("name").get<std::string>(),
                                seconds_text(state.at("seconds").get<double>())));
  return core::join(words, " · ");
}

std::string console_tail(const std::filesystem::path& folder, std::size_t lines) {
  try {
    const std::filesystem::path file = folder / machines::kConsoleLog;
    const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
    const std::uint64_t size = core::file_size(fd.get(), file.native());
    std::string text;
    core::read_range(fd.get(), file.native(), size > kTail ? size - kTail : 0, kTail,
                     [&](std::span<const std::byte> data) {
                       text.append(reinterpret_cast<const char*>(data.data()), data.size());
                     });
    return core::tail_lines(text, lines);
  } catch (const core::Error&) {
    return {};
  }
}

void print_guest_text(int fd, std::string_view text) {
  const char* name = fd == STDERR_FILENO ? "standard error" : "standard output";
  if (::isatty(fd) == 1) {
    core::write_all(fd, core::printable(text), name);
  } else {
    core::write_all(fd, text, name);
  }
}

Runner declare_vm(OptionSet& set) {
  set.set_commands(OptionSet::Commands::kRequired);
  for (const auto declare :
       {&declare_vm_run,       &declare_vm_start,    &declare_vm_stop,       &declare_vm_list,
        &declare_vm_show,      &declare_vm_logs,     &declare_vm_wait,       &declare_vm_exec,
        &declare_vm_attach,    &declare_vm_ssh,      &declare_vm_keys,       &declare_vm_base,
        &declare_vm_cp,        &declare_vm_address,  &declare_vm_screenshot, &declare_vm_snapshot,
        &declare_vm_resize,    &declare_vm_command,  &declare_vm_message,    &declare_vm_log,
        &declare_vm_export,    &declare_vm_import,   &declare_vm_migrate,    &declare_vm_fork,
        &declare_vm_define,    &declare_vm_receive,  &declare_vm_remove,     &declare_vm_up,
        &declare_vm_down,      &declare_vm_ps,       &declare_vm_top,        &declare_vm_dashboard,
        &declare_vm_supervise, &declare_vm_autostart})
    declare(set);
  set.set_footer(
      "Examples:\n"
      "  imgforge vm run kodeimage -- uname -r           a machine for one command, gone afterwards\n"
      "  imgforge vm run kodeimage --name project        one that stays\n"
      "  imgforge vm ssh project\n"
      "  imgforge vm exec project -- rc-status\n"
      "  imgforge vm stop project && imgforge vm remove project\n");
  return {};
}

}  // namespace imgforge::cli
