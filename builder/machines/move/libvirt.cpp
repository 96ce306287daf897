#include "builder/machines/move/libvirt.hpp"

#include <fmt/format.h>

#include "builder/image/bundle/xml_text.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/random.hpp"

namespace imgforge::machines {
namespace {

using image::escaped_xml;
namespace fs = std::filesystem;

std::string os_xml(const Settings& settings, const fs::path& folder) {
  const std::string type = "    <type arch='x86_64' machine='q35'>hvm</type>\n";
  if (settings.firmware == "kernel") {
    return fmt::format(
        "  <os>\n{}    <kernel>{}</kernel>\n    <initrd>{}</initrd>\n    <cmdline>{}</cmdline>\n  </os>\n",
        type, escaped_xml((folder / kKernelFile).native()), escaped_xml((folder / kInitramfsFile).native()),
        escaped_xml(settings.cmdline));
  }
  const char* firmware = settings.firmware == "uefi" ? " firmware='efi'" : "";
  const char* without_keys = settings.firmware == "uefi"
                                 ? "    <firmware>\n      <feature enabled='no' name='secure-boot'/>\n"
                                   "    </firmware>\n"
                                 : "";
  const char* cd = settings.origin.format == "iso" ? "    <boot dev='cdrom'/>\n" : "";
  return fmt::format("  <os{}>\n{}{}    <boot dev='hd'/>\n{}  </os>\n", firmware, type, without_keys, cd);
}

std::string disks_xml(const Settings& settings, const fs::path& folder) {
  const std::string base = escaped_xml(settings.origin.file);
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
      escaped_xml((folder / kDiskFile).native()), backing, cd);
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
        escaped_xml(share.folder), share.tag, share.read_only ? "      <readonly/>\n" : "");
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
  </features>
{cpu}  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
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

std::string domain_xml(const Settings& settings, const fs::path& folder, machine::Accelerator accelerator) {
  if (settings.firmware == "secure-boot") {
    throw core::Error(core::Kind::kUsage,
                      "libvirt chooses firmware with keys of its own, and this machine has others")
        .hint("make one with --firmware uefi, or run it by imgforge vm start");
  }
  const bool kvm = accelerator == machine::Accelerator::kKvm;
  return fmt::format(
      kDomain, fmt::arg("type", kvm ? "kvm" : "qemu"), fmt::arg("name", settings.name),
      fmt::arg("uuid", core::derived_uuid("imgforge machine " + settings.mac + settings.created)),
      fmt::arg("description", escaped_xml("stands on " + settings.origin.text())),
      fmt::arg("memory", settings.memory >> 10), fmt::arg("cpus", settings.cpus),
      fmt::arg("os", os_xml(settings, folder)),
      fmt::arg("cpu", kvm ? "  <cpu mode='host-passthrough'/>\n" : ""),
      fmt::arg("disks", disks_xml(settings, folder)), fmt::arg("devices", more_devices_xml(settings)));
}

std::vector<std::string> left_out_of_domain(const Settings& settings) {
  std::vector<std::string> found;
  for (const Forward& forward : settings.forwards)
    found.push_back("the port " + forward.text() + " is not forwarded by libvirt");
  if (settings.firmware == "uefi") found.push_back("libvirt gives it variables of UEFI of its own");
  if (settings.max_memory > settings.memory || settings.max_cpus > settings.cpus)
    found.push_back("memory and processors that vm resize may add are left out");
  for (const Link& link : settings.links)
    found.push_back("the network " + link.network + " is left out: libvirt would not keep it on this host");
  if (settings.autoscale.most != 0) found.push_back("memory does not follow " + settings.autoscale.text());
  if (!settings.hook.empty()) found.push_back("the hook is not called");
  return found;
}

}  // namespace imgforge::machines
