// The entry that libFuzzer calls. $IMGFORGE_FUZZ_TARGET names the target.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const imgforge::fuzz::Target* const target = [] {
    const char* name = std::getenv("IMGFORGE_FUZZ_TARGET");
    return imgforge::fuzz::find_target(name == nullptr ? "" : name);
  }();
  if (target == nullptr) {
    std::fputs("IMGFORGE_FUZZ_TARGET names no target\n", stderr);
    std::exit(2);
  }
  imgforge::fuzz::run_refusable(*target, {reinterpret_cast<const char*>(bytes), size});
  return 0;
}
