#include "builder/machine/memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace imgforge::machine {
namespace {

/// The number after `name` in a file of rows "name number"; nothing else is understood.
std::uint64_t row_of(const std::filesystem::path& path, const std::string& name) {
  std::ifstream file(path);
  std::string word, rest;
  for (std::uint64_t number = 0; file >> word >> number; std::getline(file, rest)) {
    if (word == name) return number;
  }
  return 0;
}

/// What a control group may still take. "max", and a file that is not there, is no limit.
std::uint64_t left_of(const std::filesystem::path& group) {
  std::uint64_t limit = 0, taken = 0;
  if (!(std::ifstream(group / "memory.max") >> limit)) return std::numeric_limits<std::uint64_t>::max();
  std::ifstream(group / "memory.current") >> taken;
  taken -= std::min(taken, row_of(group / "memory.stat", "inactive_file"));
  return limit - std::min(limit, taken);
}

/// Of control groups (version 2), the one this process is in.
std::string own_group(const std::filesystem::path& proc) {
  std::ifstream file(proc / "self/cgroup");
  for (std::string row; std::getline(file, row);) {
    if (row.starts_with("0::/")) return row.substr(4);
  }
  return {};
}

}  // namespace

core::Bytes available_memory(const std::filesystem::path& proc, const std::filesystem::path& groups) {
  std::uint64_t available = core::kib(row_of(proc / "meminfo", "MemAvailable:")).value;
  std::filesystem::path group = groups;
  available = std::min(available, left_of(group));
  for (const std::filesystem::path& name : std::filesystem::path(own_group(proc)))
    available = std::min(available, left_of(group /= name));
  return {available};
}

}  // namespace imgforge::machine
