// Evidence of boots, written for manifests, step results and scripts.
#include <fmt/format.h>

#include <cmath>

#include "builder/vm/artifact_boot.hpp"
#include "core/text.hpp"

namespace imgforge::vm {

using artifacts::ManifestBoot;

namespace {

std::uint64_t milliseconds(double seconds) {
  return static_cast<std::uint64_t>(std::llround(seconds * 1000));
}

/// Foreign text as JSON can hold it: lines stay lines.
std::string printable(const std::string& text) {
  std::vector<std::string> lines = core::split(text, '\n');
  for (std::string& line : lines) line = core::escaped(line, 4096);
  return core::join(lines, "\n");
}

}  // namespace

ManifestBoot manifest_boot(const std::string& artifact, const BootEvidence& evidence) {
  ManifestBoot boot{artifact, evidence.path_name, evidence.accelerator, evidence.memory, evidence.cpus, {}};
  for (const BootMarker& marker : evidence.markers) {
    boot.markers.emplace_back(marker.name, milliseconds(marker.seconds));
  }
  return boot;
}

core::Json evidence_json(const BootEvidence& evidence) {
  core::Json markers = core::Json::array();
  for (const BootMarker& marker : evidence.markers)
    markers.push_back({marker.name, milliseconds(marker.seconds)});
  core::Json commands = core::Json::array();
  for (const CommandResult& result : evidence.commands) {
    commands.push_back({{"command", result.command},
                        {"status", result.status},
                        {"milliseconds", milliseconds(result.seconds)},
                        {"size", result.output.size()},
                        {"output", printable(result.output)}});
  }
  return {{"path", evidence.path_name},
          {"accelerator", evidence.accelerator},
          {"memory", evidence.memory.value},
          {"cpus", evidence.cpus},
          {"markers", markers},
          {"commands", commands},
          {"complaints", evidence.complaints},
          {"qemu_version", evidence.qemu_version},
          {"command_line", evidence.command_line},
          {"log", evidence.log.native()},
          {"screenshot", evidence.screenshot.native()}};
}

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

}  // namespace imgforge::vm
