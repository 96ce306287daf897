#include "builder/stages/boot_test.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/temp_dir.hpp"

namespace imgforge::stages {

using artifacts::ManifestBoot;

namespace {

constexpr const char* kLoginPrompt = "login:";

}  // namespace

core::Json boots_json(const std::vector<ManifestBoot>& boots) {
  core::Json rows = core::Json::array();
  for (const ManifestBoot& boot : boots) {
    core::Json markers = core::Json::array();
    for (const auto& [name, milliseconds] : boot.markers) markers.push_back({name, milliseconds});
    rows.push_back({{"artifact", boot.artifact},
                    {"path", boot.path},
                    {"accelerator", boot.accelerator},
                    {"memory", boot.memory.value},
                    {"cpus", boot.cpus},
                    {"markers", markers}});
  }
  return rows;
}

std::vector<ManifestBoot> boots_from(const core::Json& rows) {
  std::vector<ManifestBoot> boots;
  for (const core::Json& row : rows) {
    ManifestBoot boot{row.at("artifact"),    row.at("path"),
                      row.at("accelerator"), core::Bytes{row.at("memory").get<std::uint64_t>()},
                      row.at("cpus"),        {}};
    for (const core::Json& marker : row.at("markers")) boot.markers.emplace_back(marker.at(0), marker.at(1));
    boots.push_back(std::move(boot));
  }
  return boots;
}

std::string boots_text(const std::vector<ManifestBoot>& boots) {
  std::vector<std::string> words;
  for (const ManifestBoot& boot : boots) {
    const double seconds = boot.markers.empty() ? 0 : static_cast<double>(boot.markers.back().second) / 1000;
    words.push_back(fmt::format("{} {:.1f} s", boot.path, seconds));
  }
  return fmt::format("{}", fmt::join(words, " · "));
}

std::vector<ManifestBoot> boot_through_firmware(const BootRequest& request, machine::Accelerator accelerator,
                                                const std::filesystem::path& scratch,
                                                core::Progress& progress, const core::CancelToken& cancel) {
  std::vector<ManifestBoot> boots;
  for (const image::Firmware firmware : request.firmware) {
    progress.update("boot",
                    request.name + (firmware == image::Firmware::kBios ? " with BIOS" : " with UEFI"));
    const core::TempDir work(scratch, "boot");
    image::BootSpec spec;
    spec.image = std::filesystem::absolute(request.image);
    spec.format = request.format == "qcow2" ? image::ImageFormat::kQcow2 : image::ImageFormat::kRaw;
    spec.firmware = firmware;
    spec.memory = request.requirements.memory;
    spec.cpus = request.requirements.cpus;
    spec.accelerator = accelerator;
    spec.deadline = request.deadline;
    spec.silence = request.silence;
    for (const std::string& pattern : request.expect) spec.expect.push_back({pattern, ""});
    if (request.expect.empty()) spec.expect.push_back({kLoginPrompt, ""});
    spec.log = work / "console.log";
    spec.work_dir = work.path();
    const image::BootEvidence evidence = image::boot(spec, cancel);
    ManifestBoot boot{request.name,    evidence.path_name, evidence.accelerator,
                      evidence.memory, evidence.cpus,      {}};
    for (const image::BootMarker& marker : evidence.markers) {
      boot.markers.emplace_back(marker.name, static_cast<std::uint64_t>(std::llround(marker.seconds * 1000)));
    }
    boots.push_back(std::move(boot));
  }
  return boots;
}

}  // namespace imgforge::stages
