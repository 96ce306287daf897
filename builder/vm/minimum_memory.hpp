// The smallest memory with which an image still boots, found by bisection.
#pragma once

#include <functional>

#include "core/bytes.hpp"

namespace imgforge::vm {

/// Smallest number of MiB, a multiple of 4 from 16 MiB up, for which `boots` is true. `known_good` is taken
/// to boot and is the answer when nothing smaller does. More memory is taken never to hurt; the answer was
/// always tried (or is `known_good`).
core::Bytes smallest_memory(core::Bytes known_good, const std::function<bool(core::Bytes)>& boots);

}  // namespace imgforge::vm
