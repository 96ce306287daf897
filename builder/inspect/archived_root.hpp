// The root file system inside artifacts that are archives of other files: ISO images, container images,
// virtual machines.
#pragma once

#include <filesystem>

#include "builder/inspect/root_source.hpp"

namespace imgforge::inspect {

/// The squashfs of a live CD as a file in `tools.work`; its boot entries are noted in `found`.
std::filesystem::path extract_from_iso(const std::filesystem::path& iso, FoundArtifact& found,
                                       const InspectTools& tools);
/// The first layer of an OCI layout in a tar.
std::filesystem::path extract_layer(const std::filesystem::path& archive, const InspectTools& tools);
/// The qcow2 disk of a virtual machine in a tar.
std::filesystem::path extract_vm_disk(const std::filesystem::path& archive, const InspectTools& tools);

}  // namespace imgforge::inspect
