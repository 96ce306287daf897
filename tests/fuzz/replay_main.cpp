// fuzz_replay TARGET FOLDER: runs the target on each seed, on each beginning of it, and with each single byte
// changed. The bytes that a fault was found with are written to standard error. fuzz_replay --list: the names
// of the targets.
#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <string>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "fuzz/target.hpp"

namespace {

constexpr std::size_t kLargestSeed = 4 << 10;

bool passes(const imgforge::fuzz::Target& target, const std::string& seed, std::string_view bytes) {
  try {
    imgforge::fuzz::run_refusable(target, bytes);
    return true;
  } catch (const std::exception& error) {
    const auto* const raw = reinterpret_cast<const std::uint8_t*>(bytes.data());
    fmt::print(stderr, "{}: {}: {}\n{}\n", target.name, seed, error.what(),
               imgforge::core::to_hex({raw, bytes.size()}));
    return false;
  }
}

/// Whether the parser takes the seed: changes of what is refused at once show nothing.
bool accepted(const imgforge::fuzz::Target& target, const std::string& seed) {
  try {
    target.run(seed);
    return true;
  } catch (const imgforge::core::Error&) {
    return false;
  }
}

/// The seed as it is, cut and changed; false at the first fault.
bool replay(const imgforge::fuzz::Target& target, const std::string& name, const std::string& seed) {
  if (!passes(target, name, seed)) return false;
  for (std::size_t size = 0; size < seed.size(); ++size) {
    if (!passes(target, name, std::string_view(seed).substr(0, size))) return false;
  }
  std::string changed = seed;
  for (std::size_t at = 0; at < seed.size(); ++at) {
    for (const int mask : {0x01, 0x20, 0x80, 0xFF}) {
      changed[at] = static_cast<char>(seed[at] ^ mask);
      if (!passes(target, name, changed)) return false;
    }
    changed[at] = seed[at];
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace imgforge;
  if (argc == 3 && std::string_view(argv[1]) == "--seeds") {
    bool all = true;
    for (const fuzz::Target& target : fuzz::targets()) {
      if (std::filesystem::is_directory(std::filesystem::path(argv[2]) / target.name)) continue;
      fmt::print(stderr, "{}: no seeds in {}\n", target.name, argv[2]);
      all = false;
    }
    return all ? 0 : 1;
  }
  const fuzz::Target* const target = argc == 3 ? fuzz::find_target(argv[1]) : nullptr;
  if (target == nullptr) {
    fmt::print(stderr, "usage: fuzz_replay TARGET FOLDER | --seeds FOLDER\n");
    return 2;
  }
  std::size_t good = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2])) {
    const std::string seed = core::read_text_file(entry.path(), 1 << 20);
    if (seed.size() > kLargestSeed) {
      fmt::print(stderr, "{} is larger than {} bytes\n", entry.path().native(), kLargestSeed);
      return 1;
    }
    if (!replay(*target, entry.path().filename(), seed)) return 1;
    good += accepted(*target, seed) ? 1 : 0;
  }
  if (good == 0) fmt::print(stderr, "{}: takes none of the seeds in {}\n", target->name, argv[2]);
  return good == 0 ? 1 : 0;
}
