#include "builder/stages/format_check.hpp"

#include "builder/formats/format.hpp"

namespace imgforge::stages {

artifacts::FormatCheck format_check(core::ProcessRunner& processes, const core::CancelToken& cancel) {
  return [&processes, &cancel](const std::filesystem::path& file,
                               const artifacts::ManifestArtifact& artifact) -> std::string {
    const auto role = artifact.media.find("role");
    return formats::find(artifact.format)
        .check(file, role == artifact.media.end() ? "image" : role->second, processes, cancel);
  };
}

}  // namespace imgforge::stages
