// Root file systems in tars, and tars that hold them: container images and virtual machines.
#pragma once

#include <cstdint>
#include <string>

#include "builder/content/comparison.hpp"

namespace imgforge::content {

/// Hands the members of a tar, compressed or not, to the comparison.
void read_root_tar(int fd, const std::string& name, Comparison& comparison);
/// The same of the only layer of an OCI layout in a tar.
void read_layer(int fd, const std::string& name, Comparison& comparison);

/// Where a member of an uncompressed tar lies in its file; bytes.
struct MemberPlace {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
/// The qcow2 disk of a virtual machine in a tar.
MemberPlace find_disk(int fd, const std::string& name);

}  // namespace imgforge::content
