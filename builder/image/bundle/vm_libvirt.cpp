// domain.xml of a virtual machine bundle.
#include <fmt/format.h>

#include "builder/image/bundle/vm_bundle.hpp"
#include "core/markup.hpp"
#include "core/random.hpp"

namespace imgforge::image {
namespace {

std::string card_xml(const VmSpec& spec) {
  switch (spec.network) {
    case VmCard::kUser:
      return fmt::format(
          "    <interface type='user'>\n      <mac address='{}'/>\n      <model type='virtio'/>\n"
          "    </interface>\n",
          vm_hardware_address(spec));
    case VmCard::kBridge:
      return fmt::format(
          "    <interface type='bridge'>\n      <mac address='{}'/>\n      <source bridge='br0'/>\n"
          "      <model type='virtio'/>\n    </interface>\n",
          vm_hardware_address(spec));
    case VmCard::kNone:
      break;
  }
  return "    <!-- no network card -->\n";
}

/// Memory as libvirt wants it. Slots need a NUMA cell that holds the memory of the start.
std::string memory_xml(const VmSpec& spec) {
  const std::uint64_t memory = spec.memory.value >> 10;
  if (spec.maximum_memory <= spec.memory) {
    return fmt::format(
        "  <memory unit='KiB'>{}</memory>\n  <vcpu>{}</vcpu>\n  <cpu mode='host-passthrough'/>\n", memory,
        spec.cpus);
  }
  return fmt::format(
      "  <maxMemory slots='{}' unit='KiB'>{}</maxMemory>\n"
      "  <memory unit='KiB'>{}</memory>\n"
      "  <vcpu>{}</vcpu>\n"
      "  <cpu mode='host-passthrough'>\n"
      "    <numa>\n"
      "      <cell id='0' cpus='0-{}' memory='{}' unit='KiB'/>\n"
      "    </numa>\n"
      "  </cpu>\n",
      kVmMemorySlots, spec.maximum_memory.value >> 10, memory, spec.cpus, spec.cpus - 1, memory);
}

constexpr std::string_view kDomain =
    R"xml(<!-- libvirt takes absolute paths only, so the disk disk.qcow2 of this folder stands here with the folder
     /var/lib/imgforge-vm/{name}. "start.sh" with the option "domain" prints this
     file with the real folder, ready for "virsh define". -->
<domain type='kvm'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <description>{description}</description>
{memory}  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
    <apic/>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' discard='unmap'/>
      <source file='/var/lib/imgforge-vm/{name}/disk.qcow2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
{card}    <serial type='pty'>
      <target port='0'/>
    </serial>
    <console type='pty'>
      <target type='serial' port='0'/>
    </console>
    <channel type='unix'>
      <target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>
    <memballoon model='virtio'/>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
    </rng>
    <!-- A folder of the host, which the machine mounts as the 9p share "shared":
    <filesystem type='mount' accessmode='mapped'>
      <source dir='/srv/shared'/>
      <target dir='shared'/>
    </filesystem>
    -->
  </devices>
</domain>
)xml";

}  // namespace

std::string vm_domain_xml(const VmSpec& spec) {
  return fmt::format(kDomain, fmt::arg("name", spec.name),
                     fmt::arg("uuid", core::derived_uuid("imgforge vm " + spec.identity)),
                     fmt::arg("description", core::escaped_markup(spec.description)),
                     fmt::arg("memory", memory_xml(spec)), fmt::arg("card", card_xml(spec)));
}

}  // namespace imgforge::image
