// Boots an image through each firmware that it claims and keeps what was seen as evidence.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/manifest.hpp"
#include "builder/image/boot_test.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/cancel.hpp"
#include "core/json.hpp"
#include "core/progress.hpp"

namespace imgforge::stages {

struct BootRequest {
  std::filesystem::path image;
  std::string format;  ///< "qcow2" or "raw"
  std::string name;    ///< stands for the image in the evidence
  recipe::Requirements requirements;
  std::vector<std::string> expect;  ///< regular expressions, met in order; empty: the log-in prompt
  std::vector<image::Firmware> firmware{image::Firmware::kBios, image::Firmware::kUefi};
  std::chrono::seconds deadline{180};
  std::chrono::seconds silence{60};
};

/// One boot after the other; the image is not changed. Throws kBoot with the console's last lines.
std::vector<artifacts::ManifestBoot> boot_through_firmware(const BootRequest& request,
                                                           machine::Accelerator accelerator,
                                                           const std::filesystem::path& scratch,
                                                           core::Progress& progress,
                                                           const core::CancelToken& cancel);

/// Evidence as a step's result, and back.
core::Json boots_json(const std::vector<artifacts::ManifestBoot>& boots);
std::vector<artifacts::ManifestBoot> boots_from(const core::Json& rows);
/// "disk BIOS 7.9 s · disk UEFI 11.4 s".
std::string boots_text(const std::vector<artifacts::ManifestBoot>& boots);

}  // namespace imgforge::stages
