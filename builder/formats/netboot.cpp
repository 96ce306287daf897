#include "builder/image/bundle/netboot.hpp"

#include <fmt/format.h>

#include "artifacts/manifest/formats.hpp"
#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/boot/kernel.hpp"
#include "builder/image/fs/squashfs.hpp"
#include "builder/image/write_file.hpp"
#include "core/fd.hpp"

namespace imgforge::formats {
namespace {

constexpr std::array<std::string_view, 1> kImageModules{"loop"};

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  require_modules(parts.boot(), kLiveModules, "netboot");
  require_modules(parts.boot(), kImageModules, "netboot");
  const artifacts::Format& format = *artifacts::find_format("netboot");
  // The names without a version, which stand beside the versioned ones in every release and lead to the
  // current release in the store's folder.
  const auto name = [&](std::string_view role) {
    return parts.recipe().line() + std::string(artifacts::format_suffix(format, role));
  };
  const image::NetbootScript script = image::make_netboot_script(
      parts.boot(), parts.menu(), {name("kernel"), name("initramfs"), name("root")});
  image::write_file(folder / "boot.ipxe", script.text);
  const image::BootKernel& kernel = parts.boot().kernels.front();
  core::clone_file(kernel.kernel, folder / "vmlinuz");
  core::clone_file(kernel.initramfs, folder / "initramfs.img");
  core::clone_file(parts.squashfs(), folder / "root.squashfs");
  return {{{"script", folder / "boot.ipxe"},
           {"kernel", folder / "vmlinuz"},
           {"initramfs", folder / "initramfs.img"},
           {"root", folder / "root.squashfs"}},
          script.cmdline};
}

FoundFile check(const std::filesystem::path& file, std::string_view role, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  if (role == "root")
    return {fmt::format("squashfs, {} files", image::check_squashfs(file, processes, cancel))};
  if (role == "kernel") {
    return {"Linux " + image::kernel_release(core::read_text_file(file, 256u << 20), file.native())};
  }
  if (role == "script") {
    image::netboot_cmdline(core::read_text_file(file, 1u << 20));
    return {"iPXE script"};
  }
  return {"initramfs"};
}

}  // namespace

const Format kNetboot{"netboot", kSquashfsTools, {}, make, check};

}  // namespace imgforge::formats
