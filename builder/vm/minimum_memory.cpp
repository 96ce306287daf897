#include "builder/vm/minimum_memory.hpp"

#include <cstdint>

namespace imgforge::vm {
namespace {

constexpr std::uint64_t kStep = 4 << 20;
constexpr std::uint64_t kSmallest = 16 << 20;

}  // namespace

core::Bytes smallest_memory(core::Bytes known_good, const std::function<bool(core::Bytes)>& boots) {
  // In steps: everything below `low` fails, `high` boots.
  std::uint64_t low = kSmallest / kStep;
  std::uint64_t high = (known_good.value + kStep - 1) / kStep;
  core::Bytes best = known_good;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (const core::Bytes memory{middle * kStep}; boots(memory)) {
      best = memory;
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return best;
}

}  // namespace imgforge::vm
