// What the boot tests share: the host's kernel and busybox as a root file system, made into images.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "builder/image/boot/boot_files.hpp"
#include "builder/image/disk/disk.hpp"
#include "builder/image/disk/qcow2.hpp"
#include "builder/vm/boot.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::vm::testing {

using namespace image;  // disks to boot are made with it
using namespace image::testing;

/// First kernel in /boot that has modules; empty when there is none.
inline std::string host_kernel_release() {
  for (const auto& entry : std::filesystem::directory_iterator("/boot")) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("vmlinuz-")) continue;
    const std::string release = name.substr(8);
    if (std::filesystem::exists("/lib/modules/" + release + "/modules.dep")) return release;
  }
  return {};
}

inline constexpr const char* kInit = R"script(#!/bin/busybox sh
export PATH=/bin
while read -r device folder type options rest; do
  [ "$folder" != / ] || root="$type ${options%%,*}"
done < /proc/mounts
echo "hello from $root"
echo changed > /marker && echo "marker written"
/bin/busybox ls /run/imgforge/lower/marker 2>/dev/null || echo "root is untouched"
/bin/busybox stat -c 'owner %u:%g mode %a' /owned
echo -n "name: "
read name
echo "welcome, $name"
exec /bin/busybox sh -i
)script";

class BootTest : public ImageTest {
 protected:
  void SetUp() override {
    release_ = host_kernel_release();
    if (release_.empty()) GTEST_SKIP() << "no kernel with modules in /boot (linux-image-cloud-amd64)";
    if (!std::filesystem::exists("/bin/busybox")) GTEST_SKIP() << "busybox-static is not installed";
    if (core::find_program("qemu-system-x86_64").empty()) GTEST_SKIP() << "qemu-system-x86 is not installed";
    std::filesystem::create_directory(path("work"));
  }

  void write_rootfs(const char* init = kInit) const {
    TarBuilder tar(path("rootfs.tar"));
    tar.directory("bin").file("bin/busybox", slurp("/bin/busybox"), 0755).link("bin/sh", "busybox");
    tar.directory("boot").file("boot/config-" + release_, slurp("/boot/config-" + release_));
    tar.file("boot/vmlinuz-" + release_, slurp("/boot/vmlinuz-" + release_));
    for (const char* folder : {"dev", "lib", "lib/modules"}) tar.directory(folder);
    const std::filesystem::path modules = "/lib/modules/" + release_;
    std::set<std::filesystem::path> sorted;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(modules)) {
      const std::string name = entry.path().lexically_relative("/");
      if (name.find("/net/") == std::string::npos && name.find("modules.symbols") == std::string::npos)
        sorted.insert(name);
    }
    tar.directory("lib/modules/" + release_);
    for (const std::filesystem::path& name : sorted) {
      const std::filesystem::path host = "/" / name;
      if (std::filesystem::is_directory(host)) {
        tar.directory(name);
      } else if (std::filesystem::is_regular_file(host)) {
        tar.file(name, slurp(host));
      }
    }
    artifacts::TarEntry owned;
    owned.path = "owned";
    owned.mode = 0640;
    owned.uid = 1234;
    owned.gid = 70000;
    tar.add(owned, "x");
    tar.directory("proc").directory("run").directory("sbin").file("sbin/init", init, 0755).directory("sys");
    tar.finish();
  }

  /// The same root file system as a folder.
  void unpack_rootfs(const std::filesystem::path& folder) const {
    std::filesystem::create_directory(folder);
    run("tar", {"-xf", path("rootfs.tar"), "-C", folder, "--exclude=lib/modules"});
  }

  void make_image(RootAccess access) const {
    const BootFiles boot = make_boot_files(path("rootfs.tar"), {}, path("work"));
    DiskSpec spec;
    spec.size = core::mib(160);
    spec.identity = "boot test";
    spec.root_access = access;
    spec.epoch = 1763600000;
    spec.menu.cmdline = {"panic=1"};
    make_disk(path("rootfs.tar"), boot, spec, path("disk.img"), path("work"), core::system_processes(), {});
    write_qcow2(path("disk.img"), path("disk.qcow2"), ClusterCompression::kZstd, core::system_processes(),
                {});
  }

  BootSpec spec(Firmware firmware) const {
    BootSpec out;
    out.image = path("disk.qcow2");
    out.path = {Attachment::kDisk, firmware};
    out.memory = core::mib(192);
    out.log = path("console.log");
    out.work_dir = path("work");
    return out;
  }

  std::string release_;
};

}  // namespace imgforge::vm::testing
