// The memory of this machine.
#pragma once

#include "core/bytes.hpp"

namespace imgforge::machine {

/// What may be used now without swapping: MemAvailable of proc(5)'s meminfo. 0 where that is not to be had.
core::Bytes available_memory();

}  // namespace imgforge::machine
