#include "builder/recipe/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "artifacts/manifest/formats.hpp"
#include "builder/recipe/values/kernel_packages.hpp"
#include "builder/recipe/values/types.hpp"

namespace imgforge::recipe {
namespace {

using namespace std::string_view_literals;

const Service* find_service(const ResolvedRecipe& recipe, std::string_view name) {
  const auto found = std::find_if(recipe.services.begin(), recipe.services.end(),
                                  [&](const Service& service) { return service.name == name; });
  return found == recipe.services.end() ? nullptr : &*found;
}

/// Whether the recipe itself puts something at a path that begins so. Its scripts may do so, too, unseen.
bool brings(const ResolvedRecipe& recipe, std::string_view beginning) {
  const auto begins = [&](const auto& row) { return row.path.starts_with(beginning); };
  return !recipe.run.empty() || std::any_of(recipe.files.begin(), recipe.files.end(), begins) ||
         std::any_of(recipe.links.begin(), recipe.links.end(), begins);
}

/// A format whose changes are gone at the next start; empty when there is none.
std::string forgetful_format(const ResolvedRecipe& recipe) {
  for (const Marked& format : recipe.formats) {
    const artifacts::Format* row = artifacts::find_format(format.value);
    if (row == nullptr || row->carrier == artifacts::Carrier::kArchive) continue;
    if (row->carrier == artifacts::Carrier::kLive || recipe.disk.root_mode == RootMode::kReadOnly)
      return format.value;
  }
  return {};
}

void advise_on_host_keys(const ResolvedRecipe& recipe, std::vector<Advice>& out) {
  struct Server {
    std::string_view service;
    std::string_view keys;
  };
  const std::string format = forgetful_format(recipe);
  if (format.empty()) return;
  for (const Server& server : {Server{"sshd", "/etc/ssh/ssh_host_"}, Server{"dropbear", "/etc/dropbear/"}}) {
    const Service* service = find_service(recipe, server.service);
    if (service == nullptr || brings(recipe, server.keys)) continue;
    out.push_back({fmt::format("{} makes new host keys at every start of {}, whose root forgets all changes: "
                               "clients will refuse to connect",
                               server.service, format),
                   fmt::format("disk.root: writable, or host keys of your own below {} in files",
                               server.keys.substr(0, server.keys.rfind('/'))),
                   service->mark});
  }
}

void advise_on_network(const ResolvedRecipe& recipe, std::vector<Advice>& out) {
  const Service* service = find_service(recipe, "networking");
  if (service == nullptr || recipe.first_boot || brings(recipe, "/etc/network/interfaces")) return;
  out.push_back({"the service networking fails at every start: nothing writes /etc/network/interfaces",
                 "under files: /etc/network/interfaces with \"auto eth0\" and \"iface eth0 inet dhcp\"",
                 service->mark});
}

/// The kernel would look for a program whose name ends in a carriage return.
void advise_on_scripts(const ResolvedRecipe& recipe, std::vector<Advice>& out) {
  for (const FileEntry& file : recipe.files) {
    const std::string* text = file.content.text();
    if (text == nullptr || !text->starts_with("#!")) continue;
    const std::string_view line = std::string_view(*text).substr(0, text->find('\n'));
    if (!line.ends_with('\r')) continue;
    out.push_back({fmt::format("{} cannot be started: its first line ends in a carriage return, as Windows "
                               "writes them",
                               file.path),
                   "save it with the line ends of Unix (dos2unix)", file.mark});
  }
}

void advise_on_kernel(const ResolvedRecipe& recipe, std::vector<Advice>& out) {
  const auto* alpine = std::get_if<AlpineBase>(&recipe.base);
  if (alpine == nullptr || recipe.iso_base() != nullptr || brings(recipe, "/boot/")) return;
  const auto starts = std::find_if(recipe.formats.begin(), recipe.formats.end(), [](const Marked& format) {
    const artifacts::Format* row = artifacts::find_format(format.value);
    return row != nullptr && row->carrier != artifacts::Carrier::kArchive;
  });
  const auto is_kernel = [&](const Marked& package) {
    const std::string_view name = package_name(package.value);
    return is_kernel_package(name) || name == recipe.kernel.package;
  };
  const std::vector<Marked>& added = recipe.packages.add;
  if (starts == recipe.formats.end() || std::any_of(added.begin(), added.end(), is_kernel)) return;
  out.push_back({fmt::format("{} needs a kernel, and packages.add names none", starts->value),
                 "packages.add: linux-virt or linux-lts, unless a package that is named brings one",
                 starts->mark});
}

}  // namespace

std::vector<Advice> advise(const ResolvedRecipe& recipe) {
  std::vector<Advice> out;
  advise_on_kernel(recipe, out);
  advise_on_network(recipe, out);
  advise_on_host_keys(recipe, out);
  advise_on_scripts(recipe, out);
  return out;
}

}  // namespace imgforge::recipe
