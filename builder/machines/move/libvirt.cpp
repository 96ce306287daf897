#include "builder/machines/move/libvirt.hpp"

#include <fmt/format.h>

#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/markup.hpp"
#include "core/random.hpp"

namespace imgforge::machines {
namespace {

using core::escaped_markup;
namespace fs = std::filesystem;

bool has_secure_boot(const Settings& settings) {
  return settings.firmware == "secure-boot";
}

/// The firmware is chosen by what it does, which makes libvirt guard its variables too. The keys of Secure
/// Boot are in the variables: those that firmware comes with do not matter.
std::string efi_xml(const Settings& settings, const fs::path& variables) {
  const char* secure = has_secure_boot(settings) ? "yes" : "no";
  return fmt::format(
      "    <firmware>\n      <feature enabled='{}' name='secure-boot'/>\n"
      "      <feature enabled='no' name='enrolled-keys'/>\n    </firmware>\n"
      "    <nvram>{}</nvram>\n",
      secure, escaped_markup(variables.native()));
}

std::string os_xml(const Settings& settings, const fs::path& folder, const fs::path& variables) {
  const std::string type = "    <type arch='x86_64' machine='q35'>hvm</type>\n";
  if (settings.firmware == "kernel") {
    return fmt::format(
        "  <os>\n{}    <kernel>{}</kernel>\n    <initrd>{}</initrd>\n    <cmdline>{}</cmdline>\n  </os>\n",
        type, escaped_markup((folder / kKernelFile).native()),
        escaped_markup((folder / kInitramfsFile).native()), escaped_markup(settings.cmdline));
  }
  const bool efi = firmware_of(settings) != vm::Firmware::kBios;
  const char* cd = settings.origin.format == "iso" ? "    <boot dev='cdrom'/>\n" : "";
  return fmt::format("  <os{}>\n{}{}    <boot dev='hd'/>\n{}  </os>\n", efi ? " firmware='efi'" : "", type,
                     efi ? efi_xml(settings, variables) : "", cd);
}

std::string disks_xml(const Settings& settings, const fs::path& folder) {
  const std::string base = escaped_markup(settings.origin.file);
  std::string backing = "      <backingStore/>\n";
  std::string cd;
  if (settings.origin.format == "iso") {
    cd = fmt::format(
        "    <disk type='file' device='cdrom'>\n      <driver name='qemu' type='raw'/>\n"
        "      <source file='{}'/>\n      <target dev='sda' bus='sata'/>\n      <readonly/>\n    </disk>\n",
        base);
  } else {
    backing = fmt::format(
        "      <backingStore type='file'>\n        <format type='{}'/>\n        <source file='{}'/>\n"
        "        <backingStore/>\n      </backingStore>\n",
        settings.origin.format, base);
  }
  return fmt::format(
      "    <disk type='file' device='disk'>\n"
      "      <driver name='qemu' type='qcow2' discard='unmap' error_policy='enospace'/>\n"
      "      <source file='{}'/>\n{}      <target dev='vda' bus='virtio'/>\n    </disk>\n{}",
      escaped_markup((folder / kDiskFile).native()), backing, cd);
}

std::string more_devices_xml(const Settings& settings) {
  std::string text;
  if (const std::string bridge = settings.bridge(); !bridge.empty()) {
    text += fmt::format(
        "    <interface type='bridge'>\n      <mac address='{}'/>\n      <source bridge='{}'/>\n"
        "      <model type='virtio'/>\n    </interface>\n",
        settings.mac, bridge);
  }
  if (settings.network == "user")
    text += fmt::format(
        "    <interface type='user'>\n      <mac address='{}'/>\n      <model type='virtio'/>\n"
        "    </interface>\n",
        settings.mac);
  if (settings.may_have_agent())
    text +=
        "    <channel type='unix'>\n      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"
        "    </channel>\n";
  for (const Share& share : settings.shares) {
    if (share.is_virtiofs())
      throw core::Error(core::Kind::kUsage,
                        share.folder + " is shared by virtiofs, which is not handed on to libvirt");
    text += fmt::format(
        "    <filesystem type='mount' accessmode='mapped'>\n      <source dir='{}'/>\n"
        "      <target dir='{}'/>\n{}    </filesystem>\n",
        escaped_markup(share.folder), share.tag, share.read_only ? "      <readonly/>\n" : "");
  }
  text += settings.graphics ? "    <graphics type='vnc' autoport='yes' listen='127.0.0.1'/>\n    <video>\n"
                              "      <model type='vga'/>\n    </video>\n"
                            : "    <video>\n      <model type='none'/>\n    </video>\n";
  return text;
}

constexpr const char* kDomain = R"xml(<domain type='{type}'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <description>{description}</description>
  <memory unit='KiB'>{memory}</memory>
  <vcpu>{cpus}</vcpu>
{os}  <features>
    <acpi/>
    <apic/>
{smm}  </features>
{cpu}  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
{pm}  <devices>
{disks}    <serial type='pty'>
      <target port='0'/>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
{devices}    <memballoon model='virtio'/>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
  </devices>
</domain>
)xml";

}  // namespace

std::string domain_xml(const Settings& settings, const fs::path& folder, const fs::path& variables,
                       machine::Accelerator accelerator) {
  const bool kvm = accelerator == machine::Accelerator::kKvm;
  // Only code in system management mode may write the variables, and no sleep leads around it (qemu_words).
  const bool smm = has_secure_boot(settings);
  return fmt::format(
      kDomain, fmt::arg("type", kvm ? "kvm" : "qemu"), fmt::arg("name", settings.name),
      fmt::arg("uuid", core::derived_uuid("imgforge machine " + settings.mac + settings.created)),
      fmt::arg("description", escaped_markup("stands on " + settings.origin.text())),
      fmt::arg("memory", settings.memory >> 10), fmt::arg("cpus", settings.cpus),
      fmt::arg("os", os_xml(settings, folder, variables)),
      fmt::arg("smm", smm ? "    <smm state='on'/>\n" : ""),
      fmt::arg("pm", smm ? "  <pm>\n    <suspend-to-mem enabled='no'/>\n  </pm>\n" : ""),
      fmt::arg("cpu", kvm ? "  <cpu mode='host-passthrough'/>\n" : ""),
      fmt::arg("disks", disks_xml(settings, folder)), fmt::arg("devices", more_devices_xml(settings)));
}

std::vector<std::string> left_out_of_domain(const Settings& settings) {
  std::vector<std::string> found;
  for (const Forward& forward : settings.forwards)
    found.push_back("the port " + forward.text() + " is not forwarded by libvirt");
  if (firmware_of(settings) != vm::Firmware::kBios)
    found.push_back(
        "libvirt gets a copy of the variables of UEFI: what is written to one is not in the other");
  if (settings.max_memory > settings.memory || settings.max_cpus > settings.cpus)
    found.push_back("memory and processors that vm resize may add are left out");
  for (const Link& link : settings.links)
    found.push_back("the network " + link.network + " is left out: libvirt would not keep it on this host");
  if (settings.autoscale.most != 0) found.push_back("memory does not follow " + settings.autoscale.text());
  if (!settings.hook.empty()) found.push_back("the hook is not called");
  return found;
}

}  // namespace imgforge::machines
