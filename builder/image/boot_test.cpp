#include "builder/image/boot_test.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <regex>

#include "builder/image/console.hpp"
#include "builder/image/init_script.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* kOvmfCode = "/usr/share/OVMF/OVMF_CODE_4M.fd";
constexpr const char* kOvmfVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd";
constexpr std::size_t kQuotedLines = 40;

/// A comma inside a value of QEMU's option syntax is written twice.
std::string option_value(const std::filesystem::path& path) {
  const std::string name = std::filesystem::absolute(path).native();
  std::string out;
  for (const char c : name) out.append(c == ',' ? 2 : 1, c);
  return out;
}

std::regex compiled(const std::string& pattern) {
  try {
    return std::regex(pattern, std::regex::ECMAScript);
  } catch (const std::regex_error& error) {
    throw Error(Kind::kUsage,
                fmt::format("\"{}\" is not a regular expression: {}", core::escaped(pattern), error.what()));
  }
}

/// One run: what is being waited for and what was seen.
class BootRun {
 public:
  BootRun(const BootSpec& spec, BootEvidence& evidence, core::ChildProcess& qemu)
      : spec_(spec), evidence_(evidence), qemu_(qemu), start_(SteadyClock::now()), last_output_(start_) {
    for (const Expectation& expectation : spec.expect) patterns_.push_back(compiled(expectation.pattern));
    if (!spec.log.empty()) log_ = core::open_file(spec.log, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  }

  void run(const core::CancelToken& cancel) {
    while (met_ < patterns_.size()) {
      cancel.check();
      const std::string raw = qemu_.read(std::chrono::milliseconds(50));
      if (!raw.empty()) take(raw);
      if (met_ < patterns_.size()) check_alive();
    }
    mark("ready");
    if (log_) log_.close(spec_.log.native());
  }

 private:
  double seconds_since_start() const {
    return std::chrono::duration<double>(SteadyClock::now() - start_).count();
  }

  void mark(const char* name) {
    if (evidence_.seconds_to(name) < 0) evidence_.markers.push_back({name, seconds_since_start()});
  }

  [[noreturn]] void fail(const std::string& why) const {
    std::string message = fmt::format("{}: {}", evidence_.path_name, why);
    if (met_ < spec_.expect.size()) {
      message += fmt::format(" (waiting for \"{}\")", core::escaped(spec_.expect[met_].pattern));
    }
    throw Error(Kind::kBoot, message).quote(console_.tail(kQuotedLines));
  }

  void take(const std::string& raw) {
    last_output_ = SteadyClock::now();
    if (log_) core::write_all(log_.get(), raw, spec_.log.native());
    mark("firmware");
    for (const std::string& line : console_.feed(raw)) examine(line);
  }

  void examine(const std::string& line) {
    if (line.find("Linux version ") != std::string::npos) mark("kernel");
    if (line.find(kHandOverMarker) != std::string::npos) mark("hand-over");
    // A line may meet several expectations in a row; an unfinished one is looked at again when it grows.
    while (met_ < patterns_.size() && line != answered_ && std::regex_search(line, patterns_[met_])) {
      const std::string& reply = spec_.expect[met_++].reply;
      if (reply.empty()) continue;
      qemu_.write(reply);
      answered_ = line;  // what follows must be new text
    }
    if (met_ < patterns_.size() && line.find("Kernel panic - not syncing") != std::string::npos) {
      fail("the kernel panicked");
    }
  }

  void check_alive() const {
    // What QEMU wrote last is read before its end counts.
    if (const std::optional<int> code = qemu_.poll_exit(); code && qemu_.at_end()) {
      fail(fmt::format("QEMU ended with exit code {} before the image was ready", *code));
    }
    const auto now = SteadyClock::now();
    if (now - start_ > spec_.deadline) fail(fmt::format("not ready within {} s", spec_.deadline.count()));
    if (now - last_output_ > spec_.silence) fail(fmt::format("no output for {} s", spec_.silence.count()));
  }

  const BootSpec& spec_;
  BootEvidence& evidence_;
  core::ChildProcess& qemu_;
  SteadyClock::time_point start_;
  SteadyClock::time_point last_output_;
  std::vector<std::regex> patterns_;
  std::size_t met_ = 0;
  std::string answered_;
  ConsoleText console_;
  core::Fd log_;
};

}  // namespace

double BootEvidence::seconds_to(std::string_view name) const {
  const auto found =
      std::find_if(markers.begin(), markers.end(), [&](const BootMarker& m) { return m.name == name; });
  return found == markers.end() ? -1 : found->seconds;
}

std::vector<std::string> qemu_arguments(const BootSpec& spec, const std::filesystem::path& variables) {
  const bool kvm = spec.accelerator == machine::Accelerator::kKvm;
  std::vector<std::string> args = {
      "-machine", "q35,graphics=off", "-accel", std::string(machine::accelerator_name(spec.accelerator)),
      // "max" costs more to emulate; a guest without RDRAND waits for entropy.
      "-cpu", kvm ? "host" : "qemu64,+rdrand", "-m", fmt::format("{}M", spec.memory.value >> 20), "-smp",
      std::to_string(spec.cpus), "-nodefaults", "-no-user-config", "-display", "none", "-vga", "none", "-nic",
      "none", "-serial", "stdio", "-no-reboot"};
  if (spec.firmware == Firmware::kUefi) {
    args.insert(args.end(),
                {"-drive", fmt::format("if=pflash,unit=0,format=raw,readonly=on,file={}", kOvmfCode),
                 "-drive", fmt::format("if=pflash,unit=1,format=raw,file={}", option_value(variables))});
  }
  args.insert(args.end(), {"-drive", fmt::format("if=virtio,format={},snapshot=on,file={}",
                                                 spec.format == ImageFormat::kRaw ? "raw" : "qcow2",
                                                 option_value(spec.image))});
  return args;
}

BootEvidence boot(const BootSpec& spec, const core::CancelToken& cancel) {
  BootEvidence evidence;
  evidence.path_name = spec.firmware == Firmware::kUefi ? "disk UEFI" : "disk BIOS";
  evidence.accelerator = machine::accelerator_name(spec.accelerator);
  evidence.memory = spec.memory;
  evidence.cpus = spec.cpus;
  evidence.log = spec.log;
  const std::filesystem::path variables = spec.work_dir / "ovmf-variables.fd";
  if (spec.firmware == Firmware::kUefi) {
    machine::require_file(kOvmfCode, "ovmf");
    std::filesystem::remove(variables);
    core::clone_file(machine::require_file(kOvmfVariables, "ovmf"), variables);
  }
  core::Command command;
  command.program = machine::require_program("qemu-system-x86_64").native();
  command.args = qemu_arguments(spec, variables);
  command.environment["TMPDIR"] = std::filesystem::absolute(spec.work_dir).native();  // of the overlay
  evidence.command_line = "qemu-system-x86_64 " + core::join(command.args, " ");
  core::ChildProcess qemu(command);
  BootRun(spec, evidence, qemu).run(cancel);
  return evidence;
}

}  // namespace imgforge::image
