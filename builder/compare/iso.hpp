// Two ISO images: system area, volume descriptors, El Torito boot catalogue, files, boot images.
#pragma once

#include "builder/compare/disk.hpp"

namespace imgforge::compare {

/// Notes what differs. Throws kImage for a medium whose directories cannot be read.
void compare_iso(Node& node, const Window& before, const Window& after, const CompareTools& tools,
                 const CompareContent& compare_file, const CompareWindow& compare_part);

}  // namespace imgforge::compare
