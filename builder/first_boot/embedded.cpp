#include "builder/first_boot/embedded.hpp"

#include <iterator>

// The assembler copies the files in; a compiler cache sees the directive and leaves this file alone.
#define EMBED(symbol, file)                               \
  asm(".pushsection .rodata\n"                            \
      "imgforge_first_boot_" #symbol                      \
      ":\n"                                               \
      ".incbin \"" file                                   \
      "\"\n"                                              \
      "imgforge_first_boot_" #symbol                      \
      "_end:\n"                                           \
      ".popsection\n");                                   \
  extern "C" {                                            \
  extern const char imgforge_first_boot_##symbol[];       \
  extern const char imgforge_first_boot_##symbol##_end[]; \
  }
#define EMBEDDED(symbol)            \
  std::string_view(                 \
      imgforge_first_boot_##symbol, \
      static_cast<std::size_t>(imgforge_first_boot_##symbol##_end - imgforge_first_boot_##symbol))

EMBED(common, IMGFORGE_FIRST_BOOT_SCRIPTS "common.sh")
EMBED(list, IMGFORGE_FIRST_BOOT_SCRIPTS "list.sh")
EMBED(network, IMGFORGE_FIRST_BOOT_SCRIPTS "network.sh")
EMBED(fetch, IMGFORGE_FIRST_BOOT_SCRIPTS "fetch.sh")
EMBED(answers, IMGFORGE_FIRST_BOOT_SCRIPTS "answers.sh")
EMBED(models, IMGFORGE_FIRST_BOOT_SCRIPTS "models.sh")
EMBED(update, IMGFORGE_FIRST_BOOT_SCRIPTS "update.sh")
EMBED(dhcp, IMGFORGE_FIRST_BOOT_SCRIPTS "dhcp.sh")
EMBED(setup, IMGFORGE_FIRST_BOOT_SCRIPTS "setup.sh")
EMBED(model, IMGFORGE_FIRST_BOOT_SCRIPTS "model.sh")
EMBED(openrc, IMGFORGE_FIRST_BOOT_SCRIPTS "first-boot.initd")
EMBED(start, IMGFORGE_FIRST_BOOT_SCRIPTS "first-boot.start")
EMBED(verifier, IMGFORGE_VERIFIER)

namespace imgforge::first_boot {
namespace {

const Resource kLibrary[] = {
    {"common.sh", EMBEDDED(common), false},
    {"list.sh", EMBEDDED(list), false},
    {"network.sh", EMBEDDED(network), false},
    {"fetch.sh", EMBEDDED(fetch), false},
    {"answers.sh", EMBEDDED(answers), false},
    {"models.sh", EMBEDDED(models), false},
    {"update.sh", EMBEDDED(update), false},
    {"dhcp", EMBEDDED(dhcp), true},
    {"setup", EMBEDDED(setup), true},
    {"model", EMBEDDED(model), true},
    {"verify-signature", EMBEDDED(verifier), true},
};

}  // namespace

const Resource* library_begin() {
  return std::begin(kLibrary);
}

const Resource* library_end() {
  return std::end(kLibrary);
}

std::string_view openrc_service() {
  return EMBEDDED(openrc);
}

std::string_view start_script() {
  return EMBEDDED(start);
}

}  // namespace imgforge::first_boot
