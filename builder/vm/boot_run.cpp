#include "builder/vm/boot_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>

#include "builder/image/boot/init_script.hpp"
#include "builder/image/trust/secure_disk.hpp"
#include "builder/vm/console/complaints.hpp"
#include "builder/vm/console/console_marks.hpp"
#include "builder/vm/qemu_arguments.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;

constexpr std::size_t kQuotedLines = 40;
constexpr const char* kPicture = "screen.png";

/// Lines after which nothing more can be hoped for.
struct DeadEnd {
  const char* text;
  const char* meaning;
};
constexpr DeadEnd kDeadEnds[] = {
    {"Kernel panic - not syncing", "the kernel panicked"},
    {"No bootable device.", "the firmware found nothing to boot"},  // SeaBIOS
    {"No bootable option or device was found.", "the firmware found nothing to boot"},
    {image::kBiosNotice, "the disk is made for UEFI"},
    {"UEFI Interactive Shell v", "the firmware found nothing to boot"},  // OVMF's last choice
    {"!!!! X64 Exception Type", "the firmware crashed"},                 // or a program that it started
};

std::string seconds_text(milliseconds time) {
  return fmt::format("{:g} s", static_cast<double>(time.count()) / 1000);
}

/// How QEMU ended, from core::ChildProcess's exit code.
std::string ending(int code) {
  if (code == 0) return "QEMU ended: the guest powered off or restarted";
  const char* signal = code > 128 ? ::sigabbrev_np(code - 128) : nullptr;
  if (signal != nullptr) return fmt::format("QEMU ended by signal SIG{}", signal);
  return fmt::format("QEMU ended with exit code {}", code);
}

}  // namespace

BootRun::BootRun(const BootSpec& spec, BootEvidence& evidence, core::ChildProcess& qemu,
                 const core::CancelToken& cancel)
    : spec_(spec),
      evidence_(evidence),
      qemu_(qemu),
      cancel_(cancel),
      start_(Clock::now()),
      last_output_(start_) {
  for (const Expectation& expectation : spec.expect) patterns_.emplace_back(expectation.pattern);
  if (!spec.log.empty()) log_ = core::open_file(spec.log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
}

void BootRun::run() {
  reach_ready();
  if (!spec_.commands.empty()) run_commands();
  if (!spec_.screenshot.empty()) take_screenshot();
  if (log_) log_.close(spec_.log.native());
}

void BootRun::reach_ready() {
  while (met_ < patterns_.size()) {
    for (const std::string& line : read_lines()) examine(line);
    if (met_ == patterns_.size()) break;
    check_end("before the image was ready");
    const auto now = Clock::now();
    if (now - start_ > spec_.deadline) fail("not ready within " + seconds_text(spec_.deadline));
    if (now - last_output_ > spec_.silence) fail("no output for " + seconds_text(spec_.silence));
  }
  mark("ready");
}

void BootRun::run_commands() {
  GuestShell shell(spec_.log_in, spec_.commands, core::random_hex(4));
  shell.take(console_.feed({}));
  Clock::time_point step_start = Clock::now();
  while (!shell.finished()) {
    const std::size_t before = shell.steps_done();
    const std::vector<std::string> lines = read_lines();
    shell.take(lines);
    for (const std::string& line : lines) note_complaint(line);
    if (!shell.failure().empty()) fail(shell.failure());
    if (shell.steps_done() != before) step_start = Clock::now();
    if (shell.finished()) break;
    check_dead_end(lines);
    check_end("while " + shell.step());
    const auto now = Clock::now();
    const std::string text = shell.type(std::chrono::duration_cast<milliseconds>(now - last_output_));
    if (!shell.failure().empty()) fail(shell.failure());
    if (!text.empty()) type(text);
    if (now - step_start > spec_.deadline)
      fail(fmt::format("{} took longer than {}", shell.step(), seconds_text(spec_.deadline)));
  }
  evidence_.commands = shell.results();
}

void BootRun::take_screenshot() {
  if (!monitor_) monitor_ = Qmp::connect(spec_.work_dir, kMonitorSocket, cancel_);
  if (!monitor_) fail("QEMU's monitor is not there to take a picture of the screen");
  const std::filesystem::path picture = spec_.work_dir / kPicture;
  std::filesystem::remove(picture);
  monitor_->execute("screendump", {{"filename", kPicture}, {"format", "png"}}, cancel_);
  std::filesystem::copy_file(picture, spec_.screenshot, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(picture);
  evidence_.screenshot = spec_.screenshot;
}

/// Waits a moment for output; what came, as ConsoleText gives it.
std::vector<std::string> BootRun::read_lines() {
  cancel_.check();
  const std::string raw = qemu_.read(milliseconds(50));
  if (raw.empty()) return {};
  last_output_ = Clock::now();
  if (log_) core::write_all(log_.get(), raw, spec_.log.native());
  mark("firmware");
  if (!monitor_) {
    monitor_ = Qmp::connect(spec_.work_dir, kMonitorSocket, cancel_);
    if (monitor_) evidence_.qemu_version = monitor_->version();
  }
  return console_.feed(raw);
}

/// An unfinished line comes again when it has grown.
void BootRun::note_complaint(const std::string& line) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string>& noted = evidence_.complaints;
  if (!is_complaint(line)) return;
  std::string text(core::trimmed(core::escaped(line)));
  if (!noted.empty() && text.starts_with(noted.back())) noted.pop_back();
  if (noted.size() < kMost) noted.push_back(std::move(text));
}

void BootRun::examine(const std::string& line) {
  note_complaint(line);
  if (shows_kernel(line)) mark("kernel");
  if (shows_init(line)) mark("init");
  if (line.find(image::kHandOverMarker) != std::string::npos) mark("hand-over");
  // A line may meet several expectations in a row; an unfinished one is looked at again when it grows.
  while (met_ < patterns_.size() && line != answered_ && patterns_[met_].found_in(line)) {
    const std::string& reply = spec_.expect[met_++].reply;
    if (reply.empty()) continue;
    type(reply);
    answered_ = line;  // what follows must be new text
  }
  if (met_ < patterns_.size()) check_dead_end({line});
}

void BootRun::type(const std::string& text) {
  try {
    qemu_.write(text);
  } catch (const Error&) {
    if (!qemu_.poll_exit()) throw;  // check_end tells how QEMU ended
  }
}

void BootRun::check_dead_end(const std::vector<std::string>& lines) const {
  const bool secure = spec_.path.firmware == Firmware::kSecureBoot;
  for (const std::string& line : lines) {
    // Said by systemd-boot, and at last by OVMF, before any kernel runs.
    const bool refused =
        line.find("Security Violation") != std::string::npos ||
        (line.find("Error loading") != std::string::npos && line.find("Access Denied") != std::string::npos);
    if (secure && refused && evidence_.seconds_to("kernel") < 0)
      fail("Secure Boot refused a program that is not signed by an enrolled key");
    for (const DeadEnd& end : kDeadEnds) {
      if (line.find(end.text) != std::string::npos) fail(end.meaning);
    }
  }
}

void BootRun::check_end(const std::string& unfinished) const {
  // What QEMU wrote last is read before its end counts.
  if (const std::optional<int> code = qemu_.poll_exit(); code && qemu_.at_end())
    fail(fmt::format("{} {}", ending(*code), unfinished));
}

void BootRun::mark(const char* name) {
  if (evidence_.seconds_to(name) < 0) {
    evidence_.markers.push_back({name, std::chrono::duration<double>(Clock::now() - start_).count()});
  }
}

void BootRun::fail(const std::string& why) const {
  std::string message = fmt::format("{}: {}", evidence_.path_name, why);
  if (met_ < spec_.expect.size()) {
    message += fmt::format(" (waiting for \"{}\")", core::escaped(spec_.expect[met_].pattern));
  }
  throw Error(Kind::kBoot, message).quote(console_.tail(kQuotedLines));
}

}  // namespace imgforge::vm
