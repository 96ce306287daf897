// Two raw disks: MBR, both copies of the GPT, the partitions, and what lies between them.
#pragma once

#include <functional>
#include <string>

#include "builder/compare/members/members.hpp"

namespace imgforge::compare {

/// Compares what is in two partitions: what becomes a part of the node.
using CompareWindow = std::function<Node(const std::string& name, const Window& before, const Window& after)>;

/// kSystemArea: the first 32 KiB of an ISO image, whose partitions are explained by others.
enum class DiskPart { kWhole, kSystemArea };

/// Notes what differs.
void compare_disk(Node& node, const Window& before, const Window& after, DiskPart part,
                  const CompareTools& tools, const CompareWindow& compare);

}  // namespace imgforge::compare
