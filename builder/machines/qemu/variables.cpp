#include "builder/machines/qemu/variables.hpp"

#include "builder/machine/qemu_img.hpp"
#include "builder/machine/tools.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"

namespace imgforge::machines {
namespace {

using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kRawVariablesFile = "variables.fd";

/// Converts `from` to `to`, which is there whole or not at all.
void convert(const fs::path& from, const char* from_format, const fs::path& to, const char* to_format,
             core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const fs::path unfinished = to.parent_path() / "variables.new";
  processes.check(machine::qemu_img({"convert", "-q", "-f", from_format, "-O", to_format, from.native(),
                                     unfinished.native()}),
                  cancel, Kind::kMachine);
  fs::rename(unfinished, to);
}

}  // namespace

void make_variables(const Settings& settings, const fs::path& folder, core::ProcessRunner& processes,
                    const core::CancelToken& cancel) {
  const fs::path variables = folder / kVariablesFile;
  if (firmware_of(settings) == vm::Firmware::kBios || fs::exists(variables)) return;
  if (settings.firmware == "secure-boot")
    throw core::Error(Kind::kMachine, variables.native() + " is gone, and with it the keys of Secure Boot");
  const fs::path fresh =
      machine::require_file((fs::path(kFirmwareFolder) / "OVMF_VARS_4M.fd").native(), "ovmf");
  convert(fresh, "raw", variables, "qcow2", processes, cancel);
}

fs::path raw_variables(const Settings& settings, const fs::path& folder, core::ProcessRunner& processes,
                       const core::CancelToken& cancel) {
  if (firmware_of(settings) == vm::Firmware::kBios) return {};
  make_variables(settings, folder, processes, cancel);
  const fs::path raw = folder / kRawVariablesFile;
  convert(folder / kVariablesFile, "qcow2", raw, "raw", processes, cancel);
  return raw;
}

}  // namespace imgforge::machines
