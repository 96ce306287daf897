#include "builder/machine/memory.hpp"

#include <fstream>
#include <string>

namespace imgforge::machine {

core::Bytes available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (std::uint64_t kib = 0; file >> name >> kib; std::getline(file, unit)) {
    if (name == "MemAvailable:") return core::kib(kib);
  }
  return {};
}

}  // namespace imgforge::machine
