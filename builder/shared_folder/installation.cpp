#include "builder/shared_folder/installation.hpp"

#include <fmt/format.h>

#include "builder/shared_folder/embedded.hpp"

namespace imgforge::shared_folder {
namespace {

using first_boot::Init;
using first_boot::Installation;

constexpr const char* kLibrary = "/usr/lib/imgforge/shared-folder";

}  // namespace

Installation installation(const recipe::SharedFolder& section, Init init) {
  Installation out;
  out.directories = {"/shared", "/etc/shared-folder"};
  for (const Resource& resource : library()) {
    out.files.push_back({fmt::format("{}/{}", kLibrary, resource.name), std::string(resource.content),
                         resource.executable ? 0755U : 0644U});
  }
  std::string allowed;
  for (const std::string& line : section.lines()) allowed += line + "\n";
  out.files.push_back({"/etc/shared-folder/allowed", allowed});
  out.links.push_back({"/usr/bin/shared-message", "../lib/imgforge/shared-folder/message"});
  if (init == Init::kOpenRc) {
    out.files.push_back({"/etc/init.d/shared-folder", std::string(openrc_service()), 0755});
    out.links.push_back({"/etc/runlevels/boot/shared-folder", "/etc/init.d/shared-folder"});
  } else {
    out.files.push_back({"/etc/local.d/shared-folder.start", std::string(start_script()), 0755});
  }
  return out;
}

std::vector<std::string> paths(const recipe::SharedFolder& section) {
  std::vector<std::string> out;
  for (const Init init : {Init::kOpenRc, Init::kLocalScripts}) {
    const std::vector<std::string> some = first_boot::paths(installation(section, init));
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

core::Digest resources_digest() {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  for (const Resource& resource : library()) {
    hasher.update(fmt::format("{} {}\n", resource.name, resource.content.size()));
    hasher.update(resource.content);
  }
  hasher.update(openrc_service());
  hasher.update(start_script());
  return hasher.finish();
}

}  // namespace imgforge::shared_folder
