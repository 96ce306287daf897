#include "builder/first_boot/embedded.hpp"

#include <iterator>

#include "core/embed.hpp"

IMGFORGE_EMBED(first_boot_common, IMGFORGE_FIRST_BOOT_SCRIPTS "common.sh")
IMGFORGE_EMBED(first_boot_list, IMGFORGE_FIRST_BOOT_SCRIPTS "list.sh")
IMGFORGE_EMBED(first_boot_network, IMGFORGE_FIRST_BOOT_SCRIPTS "network.sh")
IMGFORGE_EMBED(first_boot_fetch, IMGFORGE_FIRST_BOOT_SCRIPTS "fetch.sh")
IMGFORGE_EMBED(first_boot_answers, IMGFORGE_FIRST_BOOT_SCRIPTS "answers.sh")
IMGFORGE_EMBED(first_boot_models, IMGFORGE_FIRST_BOOT_SCRIPTS "models.sh")
IMGFORGE_EMBED(first_boot_update, IMGFORGE_FIRST_BOOT_SCRIPTS "update.sh")
IMGFORGE_EMBED(first_boot_dhcp, IMGFORGE_FIRST_BOOT_SCRIPTS "dhcp.sh")
IMGFORGE_EMBED(first_boot_setup, IMGFORGE_FIRST_BOOT_SCRIPTS "setup.sh")
IMGFORGE_EMBED(first_boot_model, IMGFORGE_FIRST_BOOT_SCRIPTS "model.sh")
IMGFORGE_EMBED(first_boot_openrc, IMGFORGE_FIRST_BOOT_SCRIPTS "first-boot.initd")
IMGFORGE_EMBED(first_boot_start, IMGFORGE_FIRST_BOOT_SCRIPTS "first-boot.start")
IMGFORGE_EMBED(verifier, IMGFORGE_VERIFIER_FOLDER "verify-signature")

namespace imgforge::first_boot {
namespace {

const Resource kLibrary[] = {
    {"common.sh", IMGFORGE_EMBEDDED(first_boot_common), false},
    {"list.sh", IMGFORGE_EMBEDDED(first_boot_list), false},
    {"network.sh", IMGFORGE_EMBEDDED(first_boot_network), false},
    {"fetch.sh", IMGFORGE_EMBEDDED(first_boot_fetch), false},
    {"answers.sh", IMGFORGE_EMBEDDED(first_boot_answers), false},
    {"models.sh", IMGFORGE_EMBEDDED(first_boot_models), false},
    {"update.sh", IMGFORGE_EMBEDDED(first_boot_update), false},
    {"dhcp", IMGFORGE_EMBEDDED(first_boot_dhcp), true},
    {"setup", IMGFORGE_EMBEDDED(first_boot_setup), true},
    {"model", IMGFORGE_EMBEDDED(first_boot_model), true},
    {"verify-signature", IMGFORGE_EMBEDDED(verifier), true},
};

}  // namespace

const Resource* library_begin() {
  return std::begin(kLibrary);
}

const Resource* library_end() {
  return std::end(kLibrary);
}

std::string_view openrc_service() {
  return IMGFORGE_EMBEDDED(first_boot_openrc);
}

std::string_view start_script() {
  return IMGFORGE_EMBEDDED(first_boot_start);
}

}  // namespace imgforge::first_boot
