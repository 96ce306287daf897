// A device-mapper device with one target, made through /dev/mapper/control (linux/dm-ioctl.h).
#pragma once

#include <cstdint>

#include "builder/target/runtime/text.hpp"

namespace imgforge::target {

struct MapperTarget {
  const char* type = nullptr;
  std::uint64_t sectors = 0;
  Text parameters;
};

/// Makes and starts the read-only device `name`, and /dev/mapper/<name>. Nothing is left of it when a step
/// fails.
void make_mapper_device(const char* name, const char* uuid, const MapperTarget& target);

/// Removes the device and its name again.
void remove_mapper_device(const char* name);

}  // namespace imgforge::target
