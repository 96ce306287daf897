// Replaces the random identifiers that qemu-img puts into new disk images by ones that derive from a text.
// Formats: VMware Virtual Disk Format 5.0; MS-VHDX ("Virtual Hard Disk v2 File Format"); VirtualBox's VDI
// header (VDICore.h).
#pragma once

#include <filesystem>
#include <string>

namespace imgforge::image {

/// The content id in the embedded descriptor.
void set_vmdk_identifiers(const std::filesystem::path& file, const std::string& name);
/// Write ids in both headers, the page 83 id, and the remains of the log, which is empty.
void set_vhdx_identifiers(const std::filesystem::path& file, const std::string& name);
/// Ids of the image and of its last snapshot.
void set_vdi_identifiers(const std::filesystem::path& file, const std::string& name);

}  // namespace imgforge::image
