#include "builder/vm/qemu_arguments.hpp"

#include <fmt/format.h>

#include <initializer_list>

namespace imgforge::vm {
namespace {

/// A comma inside a value of QEMU's option syntax is written twice.
std::string option_value(const std::filesystem::path& path) {
  const std::string name = std::filesystem::absolute(path).native();
  std::string out;
  for (const char c : name) out.append(c == ',' ? 2 : 1, c);
  return out;
}

std::string_view format_name(ImageFormat format) {
  switch (format) {
    case ImageFormat::kRaw:
      return "raw";
    case ImageFormat::kQcow2:
      return "qcow2";
    case ImageFormat::kVmdk:
      return "vmdk";
    case ImageFormat::kVhdx:
      return "vhdx";
    case ImageFormat::kVdi:
      return "vdi";
  }
  return "raw";
}

using Args = std::vector<std::string>;

void add(Args& args, std::initializer_list<std::string> more) {
  args.insert(args.end(), more);
}

void add_machine(Args& args, const BootSpec& spec) {
  const bool kvm = spec.accelerator == machine::Accelerator::kKvm;
  const bool secure = spec.path.firmware == Firmware::kSecureBoot;
  // "graphics=off" makes SeaBIOS and boot programs that ask it speak on the serial port.
  add(args, {"-machine", secure ? "q35,graphics=off,smm=on" : "q35,graphics=off", "-accel",
             std::string(machine::accelerator_name(spec.accelerator))});
  // "max" costs more to emulate; a guest without RDRAND waits for entropy.
  add(args, {"-cpu", kvm ? "host" : "qemu64,+rdrand", "-m", fmt::format("{}M", spec.memory.value >> 20),
             "-smp", std::to_string(spec.cpus)});
  add(args, {"-nodefaults", "-no-user-config", "-display", "none", "-vga",
             spec.screenshot.empty() ? "none" : "std"});
  if (spec.path.attachment != Attachment::kNetwork) add(args, {"-nic", "none"});
  add(args, {"-serial", "stdio", "-no-reboot"});
  add(args, {"-chardev", fmt::format("socket,id=qmp,path={},server=on,wait=off", kMonitorSocket), "-mon",
             "chardev=qmp,mode=control"});
}

void add_firmware(Args& args, const BootSpec& spec, const PreparedFiles& files) {
  if (!is_uefi(spec.path)) return;
  if (spec.path.firmware == Firmware::kSecureBoot) {
    // Only code in system management mode may write the variables: the guest cannot enrol keys behind the
    // firmware's back.
    add(args,
        {"-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"});
  }
  add(args,
      {"-drive",
       fmt::format("if=pflash,unit=0,format=raw,readonly=on,file={}", option_value(firmware_code(spec))),
       "-drive", fmt::format("if=pflash,unit=1,format=raw,file={}", option_value(files.variables))});
}

void add_shared_folder(Args& args, const BootSpec& spec) {
  if (spec.shared.empty()) return;
  // Owners and modes that the guest sets are kept as attributes: no file of the guest gets rights on the
  // host.
  add(args, {"-fsdev",
             fmt::format("local,id=shared,security_model=mapped-xattr,path={}", option_value(spec.shared)),
             "-device", "virtio-9p-pci,fsdev=shared,mount_tag=shared"});
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
  switch (spec.path.firmware) {
    case Firmware::kUefi:
      return spec.firmware_folder / "OVMF_CODE_4M.fd";
    case Firmware::kSecureBoot:
      return spec.firmware_folder / "OVMF_CODE_4M.secboot.fd";
    case Firmware::kBios:
      break;
  }
  return {};
}

std::filesystem::path fresh_variables(const BootSpec& spec) {
  return spec.firmware_folder / "OVMF_VARS_4M.fd";
}

std::vector<std::string> qemu_arguments(const BootSpec& spec, const PreparedFiles& files) {
  Args args;
  add_machine(args, spec);
  add_firmware(args, spec, files);
  add_shared_folder(args, spec);
  add_attachment(args, spec, files);
  return args;
}

}  // namespace imgforge::vm
