// Pieces of QEMU's command line that a boot for proof and a machine that stays have in common.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "builder/machine/accelerator.hpp"
#include "builder/vm/boot_path.hpp"
#include "builder/vm/boot_spec.hpp"
#include "core/bytes.hpp"

namespace imgforge::vm {

using Words = std::vector<std::string>;

/// A name as a value of QEMU's option syntax: a comma inside is written twice, a relative path made absolute.
std::string option_value(const std::filesystem::path& path);
/// Likewise for text that is no path.
std::string option_text(std::string_view text);

/// QEMU's name of a format.
std::string_view format_name(ImageFormat format);

/// Machine type, accelerator, processors and memory; nothing that QEMU or its user would add by itself.
Words processor_words(machine::Accelerator accelerator, Firmware firmware, core::Bytes memory, unsigned cpus);

/// Firmware code of OVMF in `folder`; empty for BIOS, which QEMU brings.
std::filesystem::path firmware_code(Firmware firmware, const std::filesystem::path& folder);
/// UEFI's code and variables; nothing for BIOS. `variables_format`: "raw", or "qcow2" where snapshots take
/// them too.
Words firmware_words(Firmware firmware, const std::filesystem::path& code,
                     const std::filesystem::path& variables, std::string_view variables_format = "raw");

enum class Access { kWritable, kReadOnly };
/// A folder that the guest sees by 9p under a tag. Owners and modes that the guest sets are kept as
/// attributes: no file of the guest gets rights on the host.
Words shared_folder_words(const std::string& tag, const std::filesystem::path& folder,
                          Access access = Access::kWritable);

}  // namespace imgforge::vm
