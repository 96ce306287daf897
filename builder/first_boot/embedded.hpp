// What imgforge carries for images with first boot: the scripts of builder/first_boot/scripts as they stand
// there, and the verifier, compiled for the target.
#pragma once

#include <string_view>

namespace imgforge::first_boot {

/// A file that every such image gets.
struct Resource {
  std::string_view name;  ///< in the library's folder, or of the service
  std::string_view content;
  bool executable;
};

/// Everything in /usr/lib/imgforge/first-boot but the settings.
const Resource* library_begin();
const Resource* library_end();

/// The service for OpenRC, and the script for systems that run /etc/local.d/*.start.
std::string_view openrc_service();
std::string_view start_script();

}  // namespace imgforge::first_boot
