#include "builder/image/boot/kernel.hpp"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::string_view kImagePrefix = "vmlinuz";

struct Candidate {
  std::string suffix;  ///< what follows "vmlinuz" in its name: "-virt"
  std::string image;
  std::string release;
};

std::vector<Candidate> candidates_of(const RootfsArchive& rootfs) {
  std::map<std::string, std::string> suffix_by_path;
  std::set<std::string> paths;
  for (const std::string& name : rootfs.list("boot")) {
    if (!name.starts_with(kImagePrefix)) continue;
    const std::optional<std::string> path = rootfs.resolve("boot/" + name);
    if (path && paths.insert(*path).second) suffix_by_path[*path] = name.substr(kImagePrefix.size());
  }
  if (paths.empty()) {
    throw Error(Kind::kImage, "the rootfs holds no kernel (boot/vmlinuz*)")
        .hint("add a kernel to the packages, such as linux-virt");
  }
  std::vector<Candidate> candidates;
  for (auto& [path, image] : rootfs.read(paths)) {
    std::string release = kernel_release(image, path);
    candidates.push_back({suffix_by_path[path], std::move(image), std::move(release)});
  }
  return candidates;
}

/// "-lts" for linux-lts: what Alpine's packages add to the names of their kernels.
std::string flavor_of(std::string_view package) {
  const std::size_t dash = package.find('-');
  return dash == std::string_view::npos ? std::string() : std::string(package.substr(dash));
}

bool is_of(const Candidate& kernel, std::string_view flavor) {
  return !flavor.empty() && (kernel.suffix == flavor || kernel.release.ends_with(flavor));
}

std::string config_of(const RootfsArchive& rootfs, const Candidate& kernel) {
  for (const std::string& path : {"boot/config" + kernel.suffix, "boot/config-" + kernel.release,
                                  "lib/modules/" + kernel.release + "/config"}) {
    if (const auto found = rootfs.resolve(path)) return rootfs.read({*found}, 4u << 20).at(*found);
  }
  return {};
}

ModuleTable module_table_of(const RootfsArchive& rootfs, const std::string& folder) {
  std::map<std::string, std::string> texts;
  std::set<std::string> paths;
  for (const char* name : {"modules.dep", "modules.builtin", "modules.softdep"}) {
    if (const auto path = rootfs.resolve(folder + "/" + name)) {
      texts[name] = *path;
      paths.insert(*path);
    }
  }
  const std::map<std::string, std::string> contents = rootfs.read(paths, 16u << 20);
  const auto text = [&](const char* name) {
    return texts.contains(name) ? std::string_view(contents.at(texts.at(name))) : std::string_view();
  };
  return {text("modules.dep"), text("modules.builtin"), text("modules.softdep")};
}

}  // namespace

InitramfsCompression KernelFiles::initramfs_compression() const {
  const bool zstd = ("\n" + config).find("\nCONFIG_RD_ZSTD=y\n") != std::string::npos;
  return zstd ? InitramfsCompression::kZstd : InitramfsCompression::kGzip;
}

std::string kernel_release(std::string_view image, std::string_view name) {
  constexpr std::size_t kMagicOffset = 0x202;
  constexpr std::size_t kVersionOffset = 0x20E;
  constexpr std::size_t kBase = 0x200;
  if (image.size() < 0x1000 || image.substr(kMagicOffset, 4) != "HdrS") {
    throw Error(Kind::kImage, fmt::format("{} is not an x86 Linux kernel image", core::escaped(name)));
  }
  std::uint16_t offset = 0;
  std::memcpy(&offset, image.data() + kVersionOffset, sizeof(offset));
  const std::string_view text = image.substr(std::min<std::size_t>(kBase + offset, image.size()), 200);
  const std::string release(text.substr(0, text.find_first_of(std::string_view(" \0", 2))));
  const bool printable = !release.empty() && core::escaped(release) == release;
  if (offset == 0 || !printable || release.size() >= text.size() || release.find('/') != std::string::npos) {
    throw Error(Kind::kImage, fmt::format("{} does not say which kernel release it is", core::escaped(name)));
  }
  return release;
}

std::vector<KernelFiles> find_kernels(const RootfsArchive& rootfs, std::string_view package,
                                      std::size_t most) {
  std::vector<Candidate> candidates = candidates_of(rootfs);
  const auto without_modules =
      std::stable_partition(candidates.begin(), candidates.end(), [&](const Candidate& candidate) {
        return rootfs.resolve("lib/modules/" + candidate.release + "/modules.dep").has_value();
      });
  if (without_modules == candidates.begin()) {
    throw Error(
        Kind::kImage,
        fmt::format("the rootfs holds the kernel {0} but not its modules (lib/modules/{0}/modules.dep)",
                    candidates.front().release))
        .hint("kernel and modules must come from one package");
  }
  candidates.erase(without_modules, candidates.end());
  const std::string flavor = flavor_of(package);
  std::sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
    if (is_of(a, flavor) != is_of(b, flavor)) return is_of(a, flavor);
    return ::strverscmp(a.release.c_str(), b.release.c_str()) > 0;
  });
  if (!flavor.empty() && !is_of(candidates.front(), flavor)) {
    throw Error(Kind::kImage, fmt::format("the rootfs holds no kernel of {} (boot/vmlinuz{}), but {}",
                                          package, flavor, candidates.front().release))
        .hint(fmt::format("packages.add: {}, or leave kernel.package out", package));
  }
  if (candidates.size() > most)
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(most), candidates.end());
  std::vector<KernelFiles> kernels;
  for (Candidate& candidate : candidates) {
    const std::string folder = rootfs.resolve("lib/modules/" + candidate.release).value();
    std::string config = config_of(rootfs, candidate);
    kernels.push_back({candidate.release, std::move(candidate.image), std::move(config), folder,
                       module_table_of(rootfs, folder)});
  }
  return kernels;
}

}  // namespace imgforge::image
