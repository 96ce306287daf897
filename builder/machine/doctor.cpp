#include "builder/machine/doctor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <charconv>

#include "builder/machine/accelerator.hpp"
#include "builder/machine/host_memory.hpp"
#include "builder/machine/tools.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machine {
namespace {

namespace fs = std::filesystem;

struct DataFile {
  std::string_view subject;
  std::string_view path;
  std::string_view package;
};

constexpr DataFile kFiles[] = {
    {"UEFI firmware", "/usr/share/OVMF/OVMF_CODE_4M.fd", "ovmf"},
    {"systemd-boot", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "systemd-boot-efi"},
    {"BIOS boot code", "/usr/lib/syslinux/mbr/gptmbr.bin", "syslinux-common"},
    {"BIOS boot code for CDs", "/usr/lib/ISOLINUX/isolinux.bin", "isolinux"},
    {"static busybox", "/bin/busybox", "busybox-static"},
};

/// Below this a build of a small profile does not fit; larger images say their own need.
constexpr core::Bytes kLittleSpace = core::gib(2);

Finding examine_tool(const Tool& tool, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const std::string subject(tool.name);
  if (core::find_program(tool.name).empty()) {
    return {Health::kBad, subject, fmt::format("missing: {}", tool.purpose), install_command(tool.package)};
  }
  if (tool.version_flag.empty()) return {Health::kGood, subject, std::string(tool.purpose), ""};
  core::Command command;
  command.program = tool.name;
  command.args = {std::string(tool.version_flag)};
  command.timeout = std::chrono::seconds(20);
  const core::ProcessResult result = processes.run(command, cancel);
  const std::string version = version_in(result.out + result.err);
  if (!tool.minimum.empty() && !version.empty() && compare_versions(version, tool.minimum) < 0) {
    return {Health::kBad, subject,
            fmt::format("{} is older than {} ({})", version, tool.minimum, tool.reason),
            install_command(tool.package)};
  }
  return {Health::kGood, subject, version.empty() ? std::string(tool.purpose) : version, ""};
}

/// supermin takes the newest kernel of /boot that has modules; it must be readable by the user.
Finding examine_kernel() {
  std::string unreadable;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/boot", error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("vmlinuz-") || !fs::is_directory("/lib/modules/" + name.substr(8))) continue;
    if (::access(entry.path().c_str(), R_OK) == 0)
      return {Health::kGood, "appliance kernel", name.substr(8), ""};
    unreadable = entry.path();
  }
  if (!unreadable.empty()) {
    return {Health::kBad, "appliance kernel", unreadable + " cannot be read by you",
            "sudo chmod 0644 " + unreadable};
  }
  return {Health::kBad, "appliance kernel", "/boot has no kernel with modules",
          install_command("linux-image-cloud-amd64")};
}

Finding examine_kvm(core::ProcessRunner& processes, const fs::path& cache_dir,
                    const core::CancelToken& cancel) {
  const AcceleratorVerdict verdict = find_accelerator(processes, cache_dir, cancel);
  if (verdict.accelerator == Accelerator::kKvm) return {Health::kGood, "KVM", verdict.reason, ""};
  return {Health::kWarning, "KVM", verdict.reason + "; builds and boots use emulation, which is slower", ""};
}

Finding examine_space(const fs::path& folder) {
  fs::path existing = fs::absolute(folder);
  while (!fs::exists(existing)) existing = existing.parent_path();
  std::error_code error;
  const fs::space_info space = fs::space(existing, error);
  const std::string subject = fmt::format("space in {}", folder.native());
  if (error) return {Health::kBad, subject, error.message(), ""};
  const core::Bytes free{space.available};
  if (::access(existing.c_str(), W_OK) != 0)
    return {Health::kBad, subject, existing.native() + " is not writable", ""};
  return {free < kLittleSpace ? Health::kWarning : Health::kGood, subject, free.human() + " free", ""};
}

}  // namespace

std::string install_command(std::string_view package) {
  return fmt::format("sudo apt-get install {}", package);
}

std::string version_in(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) continue;
    std::size_t end = i;
    while (end < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[end])) != 0 || text[end] == '.'))
      ++end;
    std::string_view number = text.substr(i, end - i);
    while (number.ends_with('.')) number.remove_suffix(1);
    if (number.find('.') != std::string_view::npos) return std::string(number);
    i = end;
  }
  return {};
}

int compare_versions(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const auto take = [](std::string_view& text) {
      unsigned long value = 0;
      const auto dot = text.find('.');
      const std::string_view part = text.substr(0, dot);
      std::from_chars(part.data(), part.data() + part.size(), value);
      text.remove_prefix(dot == std::string_view::npos ? text.size() : dot + 1);
      return value;
    };
    const unsigned long left = take(a);
    const unsigned long right = take(b);
    if (left != right) return left < right ? -1 : 1;
  }
  return 0;
}

std::vector<Finding> examine_machine(core::ProcessRunner& processes, const fs::path& cache_dir,
                                     const fs::path& output_dir, const core::CancelToken& cancel) {
  std::vector<Finding> findings;
  for (const Tool& tool : tools()) findings.push_back(examine_tool(tool, processes, cancel));
  for (const DataFile& file : kFiles) {
    const bool there = fs::is_regular_file(file.path);
    findings.push_back({there ? Health::kGood : Health::kBad, std::string(file.subject),
                        there ? std::string(file.path) : fmt::format("{} is missing", file.path),
                        there ? "" : install_command(file.package)});
  }
  findings.push_back(examine_kernel());
  if (!core::find_program("qemu-system-x86_64").empty()) {
    findings.push_back(examine_kvm(processes, cache_dir, cancel));
  }
  findings.push_back({Health::kGood, "memory of machines", merging_text("/sys"), ""});
  findings.push_back({Health::kGood, "swap", swap_text("/sys", "/proc"), ""});
  findings.push_back(examine_space(cache_dir));
  findings.push_back(examine_space(output_dir));
  return findings;
}

}  // namespace imgforge::machine
