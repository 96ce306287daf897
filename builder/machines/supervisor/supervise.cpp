#include "builder/machines/supervisor/supervise.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "artifacts/store/clones.hpp"
#include "builder/machine/tools.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/qemu/variables.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/atomic_file.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{10};
constexpr unsigned kMostRestarts = 5;

Start prepare(const Supervision& supervision, Settings settings, const fs::path& folder) {
  if (settings.ssh_port != 0 && !is_free({"127.0.0.1", settings.ssh_port, 22, "tcp"})) {
    settings.ssh_port = free_port();
    supervision.registry.save(settings);
  }
  Start start{std::move(settings), folder, supervision.accelerator, {}, {}};
  start.qemu = machine::require_program("qemu-system-x86_64");
  start.firmware_code = vm::firmware_code(firmware_of(start.settings), kFirmwareFolder);
  if (!start.firmware_code.empty()) machine::require_file(start.firmware_code.native(), "ovmf");
  make_variables(start.settings, folder, supervision.processes, supervision.cancel);
  if (!fs::exists(start.settings.origin.file)) {
    throw Error(Kind::kStore, fmt::format("{} is gone, and the machine {} stands on it",
                                          start.settings.origin.file, start.settings.name));
  }
  return start;
}

void note_last(const fs::path& folder, const Ending& ending) {
  core::write_file_atomically(folder / kLastFile,
                              core::print_json({{"schema", 1},
                                                {"when", core::iso_time(core::system_clock().now())},
                                                {"how", ending.how},
                                                {"failed", ending.failed}}),
                              0600);
}

/// The error in one line, with the last one that QEMU printed.
std::string line_of(const Error& error) {
  const std::string last = core::tail_lines(error.quote(), 1);
  return last.empty() ? error.message() : error.message() + ": " + last;
}

}  // namespace

Ending supervise(const Supervision& supervision) {
  const fs::path folder = fs::canonical(supervision.registry.find(supervision.name).folder);
  MachineLock lock(folder);
  lock.decide(kPatience, supervision.cancel);
  lock.run();
  Settings settings = supervision.registry.load(supervision.name);
  settle_mark(folder, supervision.arriving);
  // The QEMU of a process that was killed this moment is about to end.
  for (int i = 0; artifacts::is_open_in_qemu(folder / kDiskFile); ++i) {
    if (i == 1000) throw Error(Kind::kLocked, (folder / kDiskFile).native() + " is open in another program");
    ::usleep(10000);
  }
  const bool again = settings.restart == "on-failure";
  const bool disposable = settings.disposable;
  Start start = prepare(supervision, std::move(settings), folder);
  start.keys = supervision.keys;
  if (!supervision.arriving.empty()) {
    start.more = {"-S", "-incoming", "defer"};
    start.reached = supervision.reached;
  }
  Ending ending;
  for (unsigned tries = 0; tries <= kMostRestarts; ++tries) {
    try {
      Supervisor supervisor(start);
      if (tries == 0) {
        lock.let_others();
        supervision.started();
      }
      ending = supervisor.run();
    } catch (const Error& error) {
      ending = {line_of(error), true};
      if (tries == 0 && !disposable) note_last(folder, ending);
      if (tries == 0) throw;
    }
    if (!ending.failed || !again || read_mark(folder)) break;
    start.more.clear();
    start.reached.clear();
    ::sleep(1U << std::min(tries, 5U));
  }
  if (!disposable) note_last(folder, ending);
  return ending;
}

}  // namespace imgforge::machines
