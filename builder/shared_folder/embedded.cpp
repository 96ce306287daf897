#include "builder/shared_folder/embedded.hpp"

#include "core/embed.hpp"

IMGFORGE_EMBED(shared_folder_common, IMGFORGE_SHARED_FOLDER_SCRIPTS "common.sh")
IMGFORGE_EMBED(shared_folder_mount, IMGFORGE_SHARED_FOLDER_SCRIPTS "mount.sh")
IMGFORGE_EMBED(shared_folder_serve, IMGFORGE_SHARED_FOLDER_SCRIPTS "serve.sh")
IMGFORGE_EMBED(shared_folder_once, IMGFORGE_SHARED_FOLDER_SCRIPTS "once.sh")
IMGFORGE_EMBED(shared_folder_message, IMGFORGE_SHARED_FOLDER_SCRIPTS "message.sh")
IMGFORGE_EMBED(shared_folder_openrc, IMGFORGE_SHARED_FOLDER_SCRIPTS "shared-folder.initd")
IMGFORGE_EMBED(shared_folder_start, IMGFORGE_SHARED_FOLDER_SCRIPTS "shared-folder.start")

namespace imgforge::shared_folder {
namespace {

const Resource kLibrary[] = {
    {"common.sh", IMGFORGE_EMBEDDED(shared_folder_common), false},
    {"mount", IMGFORGE_EMBEDDED(shared_folder_mount), true},
    {"serve", IMGFORGE_EMBEDDED(shared_folder_serve), true},
    {"once", IMGFORGE_EMBEDDED(shared_folder_once), true},
    {"message", IMGFORGE_EMBEDDED(shared_folder_message), true},
};

}  // namespace

std::span<const Resource> library() {
  return kLibrary;
}

std::string_view openrc_service() {
  return IMGFORGE_EMBEDDED(shared_folder_openrc);
}

std::string_view start_script() {
  return IMGFORGE_EMBEDDED(shared_folder_start);
}

}  // namespace imgforge::shared_folder
