#include "builder/first_boot/installation.hpp"

#include <fmt/format.h>

#include "builder/first_boot/embedded.hpp"
#include "core/text.hpp"

namespace imgforge::first_boot {
namespace {

constexpr const char* kLibrary = "/usr/lib/imgforge/first-boot";
constexpr const char* kFromBin = "../lib/imgforge/first-boot";
/// Seconds without a byte after which a transfer is begun again.
constexpr unsigned kStall = 30;

}  // namespace

std::string settings_text(const recipe::FirstBoot& section) {
  std::string out = "# Written by imgforge from the section first_boot of the recipe.\n";
  const auto set = [&](std::string_view key, std::string_view value) {
    out += fmt::format("{}={}\n", key, core::shell_quoted(value));
  };
  set("name", section.name);
  set("questions", core::join(section.questions, " "));
  set("updates", core::join(section.update, " "));
  set("attempts", std::to_string(section.attempts));
  set("longest_wait", std::to_string(section.longest_wait));
  set("stall", std::to_string(kStall));
  set("shared_tag", section.shared);
  set("log_file", section.log);
  return out;
}

Installation installation(const recipe::FirstBoot& section, Init init) {
  Installation out;
  out.directories = {"/etc/" + section.name, "/var/lib/" + section.name};
  for (const Resource* resource = library_begin(); resource != library_end(); ++resource) {
    out.files.push_back({fmt::format("{}/{}", kLibrary, resource->name), std::string(resource->content),
                         resource->executable ? 0755U : 0644U});
  }
  out.files.push_back({fmt::format("{}/settings", kLibrary), settings_text(section)});
  for (const char* program : {"model", "setup"}) {
    out.links.push_back(
        {fmt::format("/usr/bin/{}-{}", section.name, program), fmt::format("{}/{}", kFromBin, program)});
  }
  out.links.push_back({"/usr/bin/model", fmt::format("{}/model", kFromBin), true});
  if (init == Init::kOpenRc) {
    out.files.push_back({"/etc/init.d/first-boot", std::string(openrc_service()), 0755});
    out.links.push_back({"/etc/runlevels/default/first-boot", "/etc/init.d/first-boot"});
  } else {
    out.files.push_back({"/etc/local.d/first-boot.start", std::string(start_script()), 0755});
  }
  return out;
}

std::vector<std::string> paths(const recipe::FirstBoot& section) {
  std::vector<std::string> out;
  for (const Init init : {Init::kOpenRc, Init::kLocalScripts}) {
    const std::vector<std::string> some = paths(installation(section, init));
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::vector<std::string> paths(const Installation& all) {
  std::vector<std::string> out = all.directories;
  for (const File& file : all.files) out.push_back(file.path);
  for (const Link& link : all.links) out.push_back(link.path);
  return out;
}

core::Digest resources_digest() {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  for (const Resource* resource = library_begin(); resource != library_end(); ++resource) {
    hasher.update(fmt::format("{} {}\n", resource->name, resource->content.size()));
    hasher.update(resource->content);
  }
  hasher.update(openrc_service());
  hasher.update(start_script());
  return hasher.finish();
}

}  // namespace imgforge::first_boot
