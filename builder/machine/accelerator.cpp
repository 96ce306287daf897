#include "builder/machine/accelerator.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "builder/machine/tools.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::machine {
namespace {

constexpr std::string_view kDevice = "/dev/kvm";
constexpr unsigned char kProbeValue = 0x31;
// isa-debug-exit ends QEMU with (value << 1) | 1.
constexpr int kProbeExit = (kProbeValue << 1) | 1;

/// Loaded at 0x7C00. Addresses inside it are absolute.
// clang-format off
constexpr std::array<unsigned char, 84> kProbe{
    0xFA,                                            // cli
    0x31, 0xC0,                                      // xor ax, ax
    0x8E, 0xD8,                                      // mov ds, ax
    0x66, 0x0F, 0x01, 0x16, 0x4E, 0x7C,              // lgdt [0x7C4E]
    0x0F, 0x20, 0xC0,                                // mov eax, cr0
    0x0C, 0x01,                                      // or al, 1: protected mode
    0x0F, 0x22, 0xC0,                                // mov cr0, eax
    0xEA, 0x18, 0x7C, 0x08, 0x00,                    // jmp 8:0x7C18, 32 bits from here
    0x66, 0xB8, 0x10, 0x00,                          // mov ax, 16
    0x8E, 0xD0,                                      // mov ss, ax
    0xBC, 0x00, 0x70, 0x00, 0x00,                    // mov esp, 0x7000
    0x9C,                                            // pushf
    0x6A, 0x08,                                      // push 8
    0x68, 0x2C, 0x7C, 0x00, 0x00,                    // push 0x7C2C
    0xCF,                                            // iret, to the next instruction
    0x66, 0xBA, kProbePort & 0xFF, kProbePort >> 8,  // mov dx, port
    0xB0, kProbeValue,                               // mov al, value
    0xEE,                                            // out dx, al
    0xF4,                                            // hlt
    0xEB, 0xFD,                                      // jmp to the hlt
    // The descriptors: none, code and data of 4 GiB; then what lgdt reads.
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x9A, 0xCF, 0x00,
    0xFF, 0xFF, 0x00, 0x00, 0x00, 0x92, 0xCF, 0x00,
    0x17, 0x00, 0x36, 0x7C, 0x00, 0x00,
};
// clang-format on

std::string boot_sector() {
  std::string sector(512, '\0');
  kvm_probe_code().copy(sector.data(), kvm_probe_code().size());
  sector[510] = '\x55';
  sector[511] = static_cast<char>(0xAA);
  return sector;
}

std::string boot_id() {
  return std::string(core::trimmed(core::read_text_file("/proc/sys/kernel/random/boot_id")));
}

std::filesystem::path verdict_file(const std::filesystem::path& cache_dir) {
  return cache_dir / "accelerator.json";
}

/// Identity of what a verdict holds for: this boot and this QEMU binary.
std::string verdict_key() {
  const std::filesystem::path qemu = require_program("qemu-system-x86_64");
  const auto written = std::filesystem::last_write_time(qemu).time_since_epoch().count();
  return fmt::format("{} {} {} uid {}", boot_id(), qemu.native(), written, ::geteuid());
}

std::optional<AcceleratorVerdict> recall(const std::filesystem::path& cache_dir) {
  const std::filesystem::path file = verdict_file(cache_dir);
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    const core::Json json = core::parse_json(core::read_text_file(file), file.native());
    if (json.at("for") != verdict_key()) return std::nullopt;
    return AcceleratorVerdict{json.at("accelerator") == "kvm" ? Accelerator::kKvm : Accelerator::kEmulation,
                              json.at("reason").get<std::string>()};
  } catch (const std::exception&) {
    return std::nullopt;  // an unreadable note is no note: probe again
  }
}

void remember(const std::filesystem::path& cache_dir, const AcceleratorVerdict& verdict) {
  std::filesystem::create_directories(cache_dir);
  core::Json json;
  json["for"] = verdict_key();
  json["accelerator"] = accelerator_name(verdict.accelerator);
  json["reason"] = verdict.reason;
  core::write_file_atomically(verdict_file(cache_dir), core::print_json(json));
}

AcceleratorVerdict broken(std::string_view why) {
  return {Accelerator::kEmulation, fmt::format("{} is there, but QEMU fails with it: {}", kDevice, why)};
}

AcceleratorVerdict probe(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                         const core::CancelToken& cancel, std::chrono::milliseconds deadline) {
  if (!std::filesystem::exists(kDevice)) return {Accelerator::kEmulation, "this machine has no /dev/kvm"};
  if (::access(kDevice.data(), R_OK | W_OK) != 0) {
    return {Accelerator::kEmulation, "/dev/kvm is there, but you may not use it (join the group kvm)"};
  }
  const core::TempDir folder(cache_dir / "tmp", "probe");
  const std::filesystem::path disk = folder / "probe.img";
  core::write_file_atomically(disk, boot_sector());
  core::Command command;
  command.program = require_program("qemu-system-x86_64");
  command.args = {
      "-accel",      "kvm",
      "-cpu",        "host",
      "-m",          "32",
      "-display",    "none",
      "-nodefaults", "-no-reboot",
      "-device",     fmt::format("isa-debug-exit,iobase={:#x},iosize=1", kProbePort),
      "-drive",      fmt::format("file={},format=raw,if=ide,readonly=off,snapshot=on", disk.native())};
  command.timeout = deadline;
  try {
    const core::ProcessResult result = processes.run(command, cancel);
    if (result.exit_code == kProbeExit) return {Accelerator::kKvm, "KVM works"};
    const std::string last = core::tail_lines(result.err, 1);
    return broken(last.empty() ? fmt::format("exit code {}", result.exit_code) : last);
  } catch (const core::Error& error) {
    if (error.kind() != core::Kind::kTimeout) throw;
    return broken(fmt::format("the guest hangs (nothing after {} ms)", deadline.count()));
  }
}

}  // namespace

std::string_view kvm_probe_code() {
  return {reinterpret_cast<const char*>(kProbe.data()), kProbe.size()};
}

std::string_view accelerator_name(Accelerator accelerator) {
  return accelerator == Accelerator::kKvm ? "kvm" : "tcg";
}

AcceleratorVerdict find_accelerator(core::ProcessRunner& processes, const std::filesystem::path& cache_dir,
                                    const core::CancelToken& cancel, std::chrono::milliseconds deadline) {
  if (const char* forced = std::getenv("IMGFORGE_ACCELERATOR"); forced != nullptr && *forced != '\0') {
    const std::string_view name(forced);
    if (name != "kvm" && name != "tcg") {
      throw core::Error(core::Kind::kUsage,
                        "IMGFORGE_ACCELERATOR is kvm or tcg, not " + core::escaped(name, 40));
    }
    return {name == "kvm" ? Accelerator::kKvm : Accelerator::kEmulation, "IMGFORGE_ACCELERATOR says so"};
  }
  if (const auto known = recall(cache_dir)) return *known;
  AcceleratorVerdict verdict = probe(processes, cache_dir, cancel, deadline);
  remember(cache_dir, verdict);
  return verdict;
}

void remember_kvm_failure(const std::filesystem::path& cache_dir, std::string_view reason) {
  remember(cache_dir, broken(reason));
}

}  // namespace imgforge::machine
