// Boots an artifact by each path that it claims and keeps what was seen as evidence. The code is in
// artifact_boot.cpp and boot_evidence.cpp.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/vm/boot.hpp"
#include "builder/vm/netboot_files.hpp"
#include "core/cancel.hpp"
#include "core/json.hpp"
#include "core/progress.hpp"

namespace imgforge::vm {

struct BootRequest {
  std::filesystem::path image;  ///< of disks, CDs and sticks
  std::string format;           ///< "qcow2", "iso", "netboot", ...: how the file is read
  NetbootFiles netboot;         ///< for the paths "kernel" and "network"
  std::string name;             ///< stands for the artifact in the evidence
  recipe::Requirements requirements;
  std::vector<std::string> expect;  ///< regular expressions, met in order; empty: the log-in prompt
  std::vector<BootPath> paths;
  std::filesystem::path variables;  ///< of UEFI, used in place; empty: fresh ones for each boot
  std::filesystem::path enrolled;   ///< variables with keys, of which each boot with Secure Boot gets a copy
  std::chrono::milliseconds deadline{std::chrono::seconds(180)};
  std::chrono::milliseconds silence{std::chrono::seconds(60)};
  LogIn log_in;
  std::vector<GuestCommand> commands;
  std::filesystem::path screenshot;  ///< empty: none; with several paths, each adds its name
  std::filesystem::path log;         ///< of the console; likewise
  std::filesystem::path shared;      ///< folder shown to the guest; empty: none
};

/// One boot after the other, said as part of `activity`; the artifact is not changed. Throws kBoot with the
/// console's last lines, kUsage when a path does not fit the format.
std::vector<BootEvidence> boot_artifact(const BootRequest& request, machine::Accelerator accelerator,
                                        const std::filesystem::path& scratch, const core::Activity& activity,
                                        const core::CancelToken& cancel);

struct MinimumMemory {
  std::string path_name;
  core::Bytes memory;  ///< the smallest that boots, in steps of 4 MiB
  unsigned boots = 0;  ///< how many were tried
};

/// For each path: boots with the stated memory, then bisects. Less memory counts as too little when the image
/// is not ready within three times the first boot's time and five seconds.
std::vector<MinimumMemory> find_minimum_memory(const BootRequest& request, machine::Accelerator accelerator,
                                               const std::filesystem::path& scratch,
                                               const core::Activity& activity,
                                               const core::CancelToken& cancel);

/// `file` for one of several paths: "shot.png" becomes "shot-cd-UEFI.png". Unchanged when there is only one.
std::filesystem::path file_of_path(const std::filesystem::path& file, const BootPath& path,
                                   std::size_t paths);

/// What a manifest says of a boot.
artifacts::ManifestBoot manifest_boot(const std::string& artifact, const BootEvidence& evidence);
/// All that was seen in one boot.
core::Json evidence_json(const BootEvidence& evidence);
/// Evidence as a step's result, and back.
core::Json boots_json(const std::vector<artifacts::ManifestBoot>& boots);
std::vector<artifacts::ManifestBoot> boots_from(const core::Json& rows);
/// "disk BIOS 7.9 s · disk UEFI 11.4 s".
std::string boots_text(const std::vector<artifacts::ManifestBoot>& boots);

}  // namespace imgforge::vm
