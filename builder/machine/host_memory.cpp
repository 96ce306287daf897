#include "builder/machine/host_memory.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <fstream>
#include <iterator>

#include "core/bytes.hpp"
#include "core/text.hpp"

namespace imgforge::machine {
namespace {

namespace fs = std::filesystem;

/// A file of the kernel; empty when it is not there.
std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::uint64_t number_of(const fs::path& file) {
  const std::string text = text_of(file);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string merging_text(const fs::path& sys) {
  const fs::path ksm = sys / "kernel/mm/ksm";
  if (!fs::exists(ksm / "run")) return "this kernel merges no equal pages of machines (KSM)";
  if (number_of(ksm / "run") != 1)
    return "equal pages of machines are not merged (KSM); root can: echo 1 >/sys/kernel/mm/ksm/run";
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return fmt::format("merges equal pages of machines (KSM: {} saved)",
                     core::Bytes{number_of(ksm / "pages_sharing") * page}.human());
}

std::string swap_text(const fs::path& sys, const fs::path& proc) {
  const std::string swaps = text_of(proc / "swaps");
  const bool has_swap = swaps.find("\n/") != std::string::npos;
  if (swaps.find("\n/dev/zram") != std::string::npos) return "compressed (zram)";
  if (has_swap && text_of(sys / "module/zswap/parameters/enabled").starts_with('Y'))
    return "compressed (zswap)";
  return has_swap ? "on a disk, not compressed" : "none";
}

}  // namespace imgforge::machine
