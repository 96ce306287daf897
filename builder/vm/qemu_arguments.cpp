#include "builder/vm/qemu_arguments.hpp"

#include <fmt/format.h>

#include "builder/vm/qemu_words.hpp"

namespace imgforge::vm {
namespace {

using Args = Words;

void add(Args& args, const Words& more) {
  args.insert(args.end(), more.begin(), more.end());
}

void add_machine(Args& args, const BootSpec& spec) {
  add(args, processor_words(spec.accelerator, spec.path.firmware, spec.memory, spec.cpus));
  add(args, {"-display", "none", "-vga", spec.screenshot.empty() ? "none" : "std"});
  if (spec.path.attachment != Attachment::kNetwork) add(args, {"-nic", "none"});
  add(args, {"-serial", "stdio", "-no-reboot"});
  add(args, {"-chardev", fmt::format("socket,id=qmp,path={},server=on,wait=off", kMonitorSocket), "-mon",
             "chardev=qmp,mode=control"});
}

void add_attachment(Args& args, const BootSpec& spec, const PreparedFiles& files) {
  switch (spec.path.attachment) {
    case Attachment::kDisk:
      add(args, {"-drive", fmt::format("if=virtio,format={},snapshot=on,file={}", format_name(spec.format),
                                       option_value(spec.image))});
      break;
    case Attachment::kCd:
      add(args, {"-device", "virtio-scsi-pci,id=scsi", "-drive",
                 fmt::format("if=none,id=media,media=cdrom,format=raw,readonly=on,file={}",
                             option_value(spec.image)),
                 "-device", "scsi-cd,bus=scsi.0,drive=media,bootindex=0"});
      break;
    case Attachment::kStick:
      add(args, {"-device", "qemu-xhci,id=xhci", "-drive",
                 fmt::format("if=none,id=media,format=raw,snapshot=on,file={}", option_value(spec.image)),
                 "-device", "usb-storage,bus=xhci.0,drive=media,removable=on,bootindex=0"});
      break;
    case Attachment::kKernel:
      add(args, {"-kernel", std::filesystem::absolute(spec.kernel.kernel).native(), "-append",
                 spec.kernel.cmdline});
      if (!files.initramfs.empty())
        add(args, {"-initrd", std::filesystem::absolute(files.initramfs).native()});
      break;
    case Attachment::kNetwork:
      // restrict: nothing but QEMU's own DHCP and TFTP answers.
      add(args, {"-netdev",
                 fmt::format("user,id=net,restrict=on,tftp={},bootfile={}", option_value(spec.network.folder),
                             spec.network.file),
                 "-device", "virtio-net-pci,netdev=net,bootindex=0"});
      break;
  }
}

}  // namespace

std::filesystem::path firmware_code(const BootSpec& spec) {
  return firmware_code(spec.path.firmware, spec.firmware_folder);
}

std::filesystem::path fresh_variables(const BootSpec& spec) {
  return spec.firmware_folder / "OVMF_VARS_4M.fd";
}

std::vector<std::string> qemu_arguments(const BootSpec& spec, const PreparedFiles& files) {
  Args args;
  add_machine(args, spec);
  add(args, firmware_words(spec.path.firmware, firmware_code(spec), files.variables));
  if (!spec.shared.empty()) add(args, shared_folder_words("shared", spec.shared));
  add_attachment(args, spec, files);
  return args;
}

}  // namespace imgforge::vm
