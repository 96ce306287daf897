#include "builder/export/releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <sstream>

#include "artifacts/manifest/formats.hpp"

namespace imgforge::exports {

using artifacts::Manifest;
using artifacts::ManifestArtifact;

namespace {

constexpr std::string_view kUsualArch = "x86_64";
constexpr std::size_t kDateLength = 10;  // of "2026-11-20T01:02:03Z"
constexpr std::size_t kTimeLength = 8;

}  // namespace

const ManifestArtifact* find_image(const Release& release, std::string_view format) {
  const auto& all = release.manifest.artifacts;
  const auto found = std::find_if(all.begin(), all.end(), [&](const ManifestArtifact& artifact) {
    return artifact.format == format && stands_alone(artifact) && !artifacts::is_packed(artifact);
  });
  return found == all.end() ? nullptr : &*found;
}

const ManifestArtifact* find_disk(const Release& release) {
  for (const std::string& format : artifacts::machine_disk_names()) {
    if (const ManifestArtifact* disk = find_image(release, format)) return disk;
  }
  return nullptr;
}

bool stands_alone(const ManifestArtifact& artifact) {
  return artifacts::role_of(artifact) != "bmap";
}

std::uint64_t disk_size(const ManifestArtifact& artifact) {
  return artifact.virtual_size == 0 ? artifact.size : artifact.virtual_size;
}

std::string arch_of(const Manifest& manifest) {
  for (const artifacts::ManifestPackage& package : manifest.packages) {
    if (package.arch != "noarch") return package.arch;
  }
  return std::string(kUsualArch);
}

std::string date_of(const Manifest& manifest) {
  return manifest.created.substr(0, kDateLength);
}

std::string time_of(const Manifest& manifest) {
  return manifest.created.size() > kDateLength ? manifest.created.substr(kDateLength + 1, kTimeLength) : "";
}

std::int64_t unix_time(const std::string& created) {
  std::tm parts{};
  std::istringstream in(created);
  in >> std::get_time(&parts, "%Y-%m-%dT%H:%M:%SZ");
  return in.fail() ? 0 : static_cast<std::int64_t>(::timegm(&parts));
}

std::uint64_t boot_milliseconds(const artifacts::ManifestBoot& boot) {
  return boot.markers.empty() ? 0 : boot.markers.back().second;
}

std::string newest_time(const Catalogue& catalogue) {
  std::string newest;
  for (const Line& line : catalogue.lines) {
    for (const Release& release : line.releases) newest = std::max(newest, release.manifest.created);
  }
  return newest;
}

std::string percent_encoded(std::string_view path) {
  constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
  std::string out;
  for (const char c : path) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace imgforge::exports
