// The scripts of builder/shared_folder/scripts, as they stand there.
#pragma once

#include <span>
#include <string_view>

namespace imgforge::shared_folder {

/// A file below /usr/lib/imgforge/shared-folder.
struct Resource {
  std::string_view name;
  std::string_view content;
  bool executable;
};

std::span<const Resource> library();
/// The service for OpenRC, and the script for systems that run /etc/local.d/*.start.
std::string_view openrc_service();
std::string_view start_script();

}  // namespace imgforge::shared_folder
