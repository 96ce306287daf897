#include "builder/machines/move/live_facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/machine/accelerator.hpp"
#include "builder/machine/tools.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

/// "7.2" of "QEMU emulator version 7.2.22 (Debian ...)".
std::string qemu_version(core::ProcessRunner& processes, const core::CancelToken& cancel) {
  core::Command command;
  command.program = machine::require_program("qemu-system-x86_64").native();
  command.args = {"--version"};
  const std::string text = processes.check(command, cancel, core::Kind::kMachine).out;
  const std::size_t start = text.find("version ");
  if (start == std::string::npos) return "unknown";
  const std::size_t first = text.find('.', start);
  const std::size_t second =
      text.find_first_not_of("0123456789", first == std::string::npos ? start : first + 1);
  return text.substr(start + 8, second == std::string::npos ? second : second - start - 8);
}

/// Model and features of the first processor.
std::string processor() {
  std::string model;
  std::string flags;
  for (const std::string& line : core::split(core::read_text_file("/proc/cpuinfo", 16 << 20), '\n')) {
    if (line.empty()) break;
    if (line.starts_with("model name")) model = core::trimmed(line.substr(line.find(':') + 1));
    if (line.starts_with("flags")) flags = line;
  }
  return fmt::format("{} ({})", model,
                     core::digest_of(core::HashAlgorithm::kSha256, flags).hex().substr(0, 8));
}

void compare(std::vector<std::string>& found, const char* what, const std::string& there,
             const std::string& here) {
  if (there != here)
    found.push_back(
        fmt::format("{} {} there and {} here", what, core::escaped(there, 100), core::escaped(here, 100)));
}

}  // namespace

LiveFacts live_facts(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                     const core::CancelToken& cancel) {
  LiveFacts facts;
  facts.qemu = qemu_version(processes, cancel);
  const auto accelerator = machine::find_accelerator(processes, cache_dir, cancel).accelerator;
  facts.accelerator = machine::accelerator_name(accelerator);
  if (accelerator == machine::Accelerator::kKvm) facts.processor = processor();
  return facts;
}

std::vector<std::string> differences(const LiveFacts& there, const LiveFacts& here) {
  std::vector<std::string> found;
  compare(found, "QEMU is", there.qemu, here.qemu);
  compare(found, "machines are run by", there.accelerator, here.accelerator);
  if (there.accelerator == here.accelerator)
    compare(found, "the processor is", there.processor, here.processor);
  return found;
}

}  // namespace imgforge::machines
