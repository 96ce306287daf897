#include "builder/machines/qemu/machine_words.hpp"

#include <fmt/format.h>

#include "builder/machines/qemu/links.hpp"
#include "builder/machines/qemu/virtiofs.hpp"

namespace imgforge::machines {
namespace {

using vm::Words;

constexpr unsigned kMemorySlots = 32;

void add(Words& words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
}

Words socket_words(const char* id, const char* name, const char* wait) {
  return {"-chardev", fmt::format("socket,id={},path={},server=on,wait={}", id, name, wait)};
}

void add_channels(Words& words, const Settings& settings) {
  add(words, socket_words("console", kConsoleSocket, "on"));
  add(words, {"-serial", "chardev:console"});
  add(words, socket_words("qmp", kMonitorSocket, "off"));
  add(words, {"-mon", "chardev=qmp,mode=control"});
  if (!settings.may_have_agent()) return;
  add(words, socket_words("agent", kAgentSocket, "off"));
  add(words, {"-device", "virtio-serial-pci", "-device",
              fmt::format("virtserialport,id={},chardev=agent,name=org.qemu.guest_agent.0", kAgentDevice)});
}

void add_disks(Words& words, const Settings& settings, const HostFiles& files) {
  const bool cd = settings.origin.format == "iso";
  if (cd) {
    add(words, {"-device", "virtio-scsi-pci,id=scsi", "-drive",
                fmt::format("if=none,id=cd,media=cdrom,format=raw,readonly=on,file={}",
                            vm::option_value(settings.origin.file)),
                "-device", "scsi-cd,bus=scsi.0,drive=cd,bootindex=1"});
  }
  // A full host pauses the machine, which goes on once there is room.
  add(words, {"-drive",
              fmt::format("if=none,id=disk,format=qcow2,discard=unmap,werror=enospc,file={}",
                          vm::option_value(files.folder / kDiskFile)),
              "-device",
              // The first place is the kernel's where one is handed over.
              settings.firmware == "kernel" ? "virtio-blk-pci,drive=disk"
                                            : "virtio-blk-pci,drive=disk,bootindex=0"});
}

void add_network(Words& words, const Settings& settings) {
  if (settings.network == "none") {
    add(words, {"-nic", "none"});
    return;
  }
  const std::string card = fmt::format("virtio-net-pci,netdev=net,mac={},romfile=", settings.mac);
  if (const std::string bridge = settings.bridge(); !bridge.empty()) {
    add(words, {"-netdev", "bridge,id=net,br=" + bridge, "-device", card});
    return;
  }
  std::string user = "user,id=net";
  for (const Forward& forward : settings.forwards) {
    user += fmt::format(",hostfwd={}:{}:{}-:{}", forward.protocol, forward.address, forward.host_port,
                        forward.guest_port);
  }
  if (settings.ssh_port != 0) user += fmt::format(",hostfwd=tcp:127.0.0.1:{}-:22", settings.ssh_port);
  // Without a ROM nothing is tried over the network before the disk.
  add(words, {"-netdev", user, "-device", card});
}

void add_links(Words& words, const Settings& settings) {
  for (std::size_t i = 0; i < settings.links.size(); ++i) {
    const Link& link = settings.links[i];
    add(words, {"-netdev",
                fmt::format("socket,id=link{},mcast={},localaddr=127.0.0.1", i, link_address(link.network)),
                "-device", fmt::format("virtio-net-pci,netdev=link{},mac={},romfile=", i, link.mac)});
  }
}

}  // namespace

vm::Firmware firmware_of(const Settings& settings) {
  if (settings.firmware == "uefi") return vm::Firmware::kUefi;
  return settings.firmware == "secure-boot" ? vm::Firmware::kSecureBoot : vm::Firmware::kBios;
}

Words machine_words(const Settings& settings, machine::Accelerator accelerator, const HostFiles& files) {
  Words words{"-name", vm::option_text(settings.name)};
  add(words,
      vm::processor_words(accelerator, firmware_of(settings), {settings.first_memory()}, settings.cpus));
  // Given again, both options add to what they said before.
  if (settings.max_cpus > settings.cpus) add(words, {"-smp", fmt::format("maxcpus={}", settings.max_cpus)});
  if (settings.max_memory > settings.memory)
    add(words, {"-m", fmt::format("slots={},maxmem={}M", kMemorySlots, settings.max_memory >> 20)});
  add(words, {"-display", "none", "-vga", settings.graphics ? "std" : "none"});
  if (settings.graphics) add(words, {"-vnc", fmt::format("unix:{}", kScreenSocket)});
  add_channels(words, settings);
  add(words,
      vm::firmware_words(firmware_of(settings), files.firmware_code, files.folder / kVariablesFile, "qcow2"));
  if (settings.firmware == "kernel")
    add(words, {"-kernel", kKernelFile, "-initrd", kInitramfsFile, "-append", settings.cmdline});
  if (!settings.boot_rom.empty()) add(words, {"-bios", settings.boot_rom});
  add_disks(words, settings, files);
  add_network(words, settings);
  add_links(words, settings);
  add(words, {"-device", "virtio-balloon-pci,id=balloon,deflate-on-oom=on,free-page-reporting=on"});
  add(words, {"-device", "virtio-rng-pci"});
  // A clone takes its host name from either at its first start.
  const std::string name = vm::option_text(settings.name);
  add(words,
      {"-fw_cfg", "name=opt/org.imgforge/hostname,string=" + name, "-smbios", "type=1,serial=" + name});
  add(words, virtiofs_words(settings));
  for (const Share& share : settings.shares) {
    if (share.is_virtiofs()) continue;
    add(words, vm::shared_folder_words(share.tag, share.folder,
                                       share.read_only ? vm::Access::kReadOnly : vm::Access::kWritable));
  }
  return words;
}

}  // namespace imgforge::machines
