#include "builder/vm/qemu_words.hpp"

#include <fmt/format.h>

namespace imgforge::vm {

std::string option_text(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == ',' ? 2 : 1, c);
  return out;
}

std::string option_value(const std::filesystem::path& path) {
  return option_text(std::filesystem::absolute(path).native());
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

Words processor_words(machine::Accelerator accelerator, Firmware firmware, core::Bytes memory,
                      unsigned cpus) {
  const bool kvm = accelerator == machine::Accelerator::kKvm;
  // "graphics=off" makes SeaBIOS and boot programs that ask it speak on the serial port.
  // "max" costs more to emulate; a guest without RDRAND waits for entropy.
  return {"-machine",    firmware == Firmware::kSecureBoot ? "q35,graphics=off,smm=on" : "q35,graphics=off",
          "-accel",      std::string(machine::accelerator_name(accelerator)),
          "-cpu",        kvm ? "host" : "qemu64,+rdrand",
          "-m",          fmt::format("{}M", memory.value >> 20),
          "-smp",        std::to_string(cpus),
          "-nodefaults", "-no-user-config"};
}

std::filesystem::path firmware_code(Firmware firmware, const std::filesystem::path& folder) {
  switch (firmware) {
    case Firmware::kUefi:
      return folder / "OVMF_CODE_4M.fd";
    case Firmware::kSecureBoot:
      return folder / "OVMF_CODE_4M.secboot.fd";
    case Firmware::kBios:
      break;
  }
  return {};
}

Words firmware_words(Firmware firmware, const std::filesystem::path& code,
                     const std::filesystem::path& variables, std::string_view variables_format) {
  if (firmware == Firmware::kBios) return {};
  Words words;
  // Only code in system management mode may write the variables: the guest cannot enrol keys behind the
  // firmware's back.
  if (firmware == Firmware::kSecureBoot) {
    words = {"-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1"};
  }
  words.insert(
      words.end(),
      {"-drive", fmt::format("if=pflash,unit=0,format=raw,readonly=on,file={}", option_value(code)), "-drive",
       fmt::format("if=pflash,unit=1,format={},file={}", variables_format, option_value(variables))});
  return words;
}

Words shared_folder_words(const std::string& tag, const std::filesystem::path& folder, Access access) {
  return {"-fsdev",
          fmt::format("local,id={},security_model=mapped-xattr,path={}{}", tag, option_value(folder),
                      access == Access::kReadOnly ? ",readonly=on" : ""),
          "-device", fmt::format("virtio-9p-pci,fsdev={0},mount_tag={0}", tag)};
}

}  // namespace imgforge::vm
