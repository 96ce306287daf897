#include "builder/machines/supervisor/running_qemu.hpp"

#include <unistd.h>

#include <algorithm>

#include "builder/machines/qemu/failed_start.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/qemu/virtiofs.hpp"
#include "builder/machines/supervisor/talk/console_log.hpp"
#include "core/error.hpp"
#include "core/local_socket.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

constexpr milliseconds kStartPatience{20000};
constexpr milliseconds kUpPatience{60000};
constexpr int kLastReads = 20;
constexpr std::size_t kSaidKept = 4096;

core::ChildProcess start_qemu(const Start& start) {
  for (const char* socket : {kConsoleSocket, kMonitorSocket, kAgentSocket}) fs::remove(start.folder / socket);
  check_ports(start.settings);
  core::Command command;
  command.program = start.qemu.native();
  command.args =
      machine_words(start.settings, start.accelerator.accelerator, {start.folder, start.firmware_code});
  if (begins_anew_after_reset(start)) command.args.insert(command.args.end(), {"-action", "reboot=shutdown"});
  command.args.insert(command.args.end(), start.more.begin(), start.more.end());
  command.directory = start.folder;
  command.environment["TMPDIR"] = start.folder.native();
  command.ends_with_caller = true;
  return core::ChildProcess(command);
}

/// What is left to read of a program that ended; a helper of it may still hold the other end.
std::string last_words(core::ChildProcess& process) {
  std::string said;
  for (int i = 0; i < kLastReads && !process.at_end(); ++i) said += process.read(milliseconds(100));
  return said;
}

core::Error no_daemon(core::ChildProcess& daemon, const Share& share) {
  return core::Error(core::Kind::kMachine, core::escaped(share.folder) + " cannot be shared by virtiofs")
      .quote(core::tail_lines(last_words(daemon)))
      .hint("9p, the default, needs no daemon; for users other than root it needs a range in /etc/subuid");
}

/// The daemons of shared folders, which wait for QEMU.
std::vector<core::ChildProcess> start_daemons(const Start& start) {
  std::vector<core::ChildProcess> daemons;
  if (uses_virtiofs(start.settings)) require_virtiofs();
  for (std::size_t i = 0; i < start.settings.shares.size(); ++i) {
    const Share& share = start.settings.shares[i];
    if (!share.is_virtiofs()) continue;
    const fs::path socket = start.folder / virtiofs_socket(i);
    fs::remove(socket);
    core::ChildProcess& daemon = daemons.emplace_back(virtiofs_command(share, i, start.folder, ::geteuid()));
    const auto deadline = RunningQemu::Clock::now() + kStartPatience;
    while (!fs::is_socket(fs::symlink_status(socket))) {
      if (daemon.poll_exit() || RunningQemu::Clock::now() > deadline) throw no_daemon(daemon, share);
      ::usleep(2000);
    }
  }
  return daemons;
}

/// Connects to a socket that QEMU is about to make.
core::Fd connect_to(core::ChildProcess& qemu, const Start& start, const char* name) {
  const auto deadline = RunningQemu::Clock::now() + kStartPatience;
  while (true) {
    if (auto socket = core::connect_local(start.folder, name)) return *std::move(socket);
    if (qemu.poll_exit()) throw failed_start(start.settings, last_words(qemu));
    if (RunningQemu::Clock::now() > deadline)
      throw core::Error(core::Kind::kBoot, "QEMU does not open its channels");
    ::usleep(2000);
  }
}

}  // namespace

bool begins_anew_after_reset(const Start& start) {
  return start.accelerator.accelerator == machine::Accelerator::kEmulation;
}

RunningQemu::RunningQemu(const Start& start)
    : daemons_(start_daemons(start)),
      process_(start_qemu(start)),
      console_(connect_to(process_, start, kConsoleSocket), kConsoleKept),
      monitor_(connect_to(process_, start, kMonitorSocket), Dialogue::Partner::kMonitor) {
  if (start.settings.may_have_agent())
    agent_.emplace(connect_to(process_, start, kAgentSocket), Dialogue::Partner::kAgent);
}

void RunningQemu::wait_until_up(const Settings& settings) {
  const auto deadline = Clock::now() + kUpPatience;
  while (!monitor_.has_begun()) {
    if (poll_exit()) throw failed_start(settings, said_ + last_words(process_));
    if (Clock::now() > deadline) throw core::Error(core::Kind::kBoot, "QEMU does not answer");
    std::vector<pollfd> polls;
    if (!monitor_.is_closed()) polls.push_back({monitor_.fd(), monitor_.events(), 0});
    if (process_.output() >= 0) polls.push_back({process_.output(), POLLIN, 0});
    ::poll(polls.data(), polls.size(), 50);  // its end is not seen by poll(2)
    monitor_.work();
    listen();
  }
}

void RunningQemu::add_to(std::vector<pollfd>& polls) const {
  if (!console_.is_closed()) polls.push_back({console_.fd(), console_.events(), 0});
  if (!monitor_.is_closed()) polls.push_back({monitor_.fd(), monitor_.events(), 0});
  if (agent_ && !agent_->is_closed()) polls.push_back({agent_->fd(), agent_->events(), 0});
  if (process_.output() >= 0) polls.push_back({process_.output(), POLLIN, 0});
}

void RunningQemu::work() {
  if (!console_.is_closed()) console_.work();
  monitor_.work();
  if (agent_ && !agent_->is_closed()) agent_->work();
  listen();
}

void RunningQemu::listen() {
  for (core::ChildProcess& daemon : daemons_) said_ += daemon.read(milliseconds(0));
  said_ += process_.read(milliseconds(0));
  if (said_.size() > kSaidKept) said_.erase(0, said_.size() - kSaidKept);
}

std::optional<int> RunningQemu::poll_exit() {
  const std::optional<int> code = process_.poll_exit();
  if (code) listen();
  return code;
}

void RunningQemu::pass_time(Clock::time_point now) {
  monitor_.pass_time(now);
  if (agent_) agent_->pass_time(now);
}

std::optional<RunningQemu::Clock::time_point> RunningQemu::deadline() const {
  const auto monitor = monitor_.deadline();
  const auto agent = agent_ ? agent_->deadline() : std::nullopt;
  return monitor && agent ? std::min(monitor, agent) : monitor ? monitor : agent;
}

}  // namespace imgforge::machines
