// How a live system finds its squashfs: the words of the kernel command line that imgforge's initramfs
// understands, said once for CD, stick and network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::image {

/// Where the squashfs stands on a CD.
inline constexpr std::string_view kMediumRoot = "imgforge/root.squashfs";

/// On the ISO 9660 medium that holds the file imgforge/<id>.
std::vector<std::string> root_on_medium(const std::string& id);
/// In the GPT partition `root`; changes are kept in the partition `data`, which grows to the end of the disk.
std::vector<std::string> root_on_stick(const std::string& root, const std::string& data);
/// In the initramfs itself, as /root.squashfs.
std::vector<std::string> root_in_initramfs();

}  // namespace imgforge::image
