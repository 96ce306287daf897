// Two ext4 file systems: superblock, group descriptors, files by path, and what other blocks differ.
#pragma once

#include "builder/compare/members/members.hpp"

namespace imgforge::compare {

/// Notes what differs. Throws kImage for a file system that libext2fs does not open or read.
void compare_ext4(Node& node, const Window& before, const Window& after, const CompareTools& tools,
                  const CompareContent& compare);

}  // namespace imgforge::compare
