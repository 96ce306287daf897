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

std::vector<std::string> kernel_releases(const RootfsArchive& rootfs) {
  std::vector<std::string> releases;
  for (const Candidate& candidate : candidates_of(rootfs)) {
    if (rootfs.resolve("lib/modules/" + candidate.release + "/modules.dep"))
      releases.push_back(candidate.release);
  }
  std::sort(releases.begin(), releases.end(), [](const std::string& a, const std::string& b) {
    return ::strverscmp(a.c_str(), b.c_str()) > 0;
  });
  return releases;
}

KernelFiles find_kernel(const RootfsArchive& rootfs, std::string_view release) {
  std::optional<Candidate> best;
  std::vector<std::string> without_modules;
  for (Candidate& candidate : candidates_of(rootfs)) {
    if (!release.empty() && candidate.release != release) continue;
    if (!rootfs.resolve("lib/modules/" + candidate.release + "/modules.dep")) {
      without_modules.push_back(candidate.release);
    } else if (!best || ::strverscmp(best->release.c_str(), candidate.release.c_str()) < 0) {
      best = std::move(candidate);
    }
  }
  if (!best && !without_modules.empty()) {
    throw Error(
        Kind::kImage,
        fmt::format("the rootfs holds the kernel {0} but not its modules (lib/modules/{0}/modules.dep)",
                    without_modules.front()))
        .hint("kernel and modules must come from one package");
  }
  if (!best) throw Error(Kind::kImage, fmt::format("the rootfs holds no kernel {}", core::escaped(release)));
  const std::string folder = rootfs.resolve("lib/modules/" + best->release).value();
  std::string config = config_of(rootfs, *best);
  return {best->release, std::move(best->image), std::move(config), folder, module_table_of(rootfs, folder)};
}

}  // namespace imgforge::image
