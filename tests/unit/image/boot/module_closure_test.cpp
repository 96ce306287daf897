#include "builder/image/boot/module_closure.hpp"

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using Paths = std::vector<std::string>;

constexpr const char* kDep =
    "kernel/a/virtio.ko:\n"
    "kernel/a/virtio_ring.ko: kernel/a/virtio.ko\n"
    "kernel/b/virtio_pci.ko.xz: kernel/a/virtio_ring.ko kernel/a/virtio.ko\n"
    "kernel/b/virtio-blk.ko: kernel/a/virtio_ring.ko kernel/a/virtio.ko\n"
    "kernel/c/crc32c_generic.ko:\n"
    "kernel/c/libcrc32c.ko:\n"
    "kernel/d/one.ko: kernel/d/two.ko\n"
    "kernel/d/two.ko: kernel/d/one.ko\n";

TEST(ModuleClosure, PutsDependenciesFirstAndEachOnce) {
  const ModuleTable table(kDep, "", "");
  EXPECT_EQ(table.closure({"virtio_blk", "virtio_pci"}),
            (Paths{"kernel/a/virtio.ko", "kernel/a/virtio_ring.ko", "kernel/b/virtio-blk.ko",
                   "kernel/b/virtio_pci.ko.xz"}));
}

TEST(ModuleClosure, DashAndUnderscoreAreOneName) {
  const ModuleTable table(kDep, "", "");
  EXPECT_EQ(table.closure({"virtio-blk"}), table.closure({"virtio_blk"}));
  EXPECT_EQ(module_name("kernel/b/virtio-blk.ko.zst"), "virtio_blk");
}

TEST(ModuleClosure, LeavesOutBuiltInAndMissingModules) {
  const ModuleTable table(kDep, "kernel/fs/ext4/ext4.ko\n", "");
  EXPECT_TRUE(table.closure({"ext4", "nvme"}).empty());
  EXPECT_TRUE(table.is_builtin("ext4"));
  EXPECT_FALSE(table.is_builtin("nvme"));
  EXPECT_TRUE(table.has("libcrc32c"));
}

TEST(ModuleClosure, SoftDependenciesComeBeforeWhenTheyAreThere) {
  const ModuleTable table(kDep, "", "# comment\nsoftdep libcrc32c pre: crc32c_generic absent post: virtio\n");
  EXPECT_EQ(table.closure({"libcrc32c"}), (Paths{"kernel/c/crc32c_generic.ko", "kernel/c/libcrc32c.ko"}));
}

TEST(ModuleClosure, ACircleEnds) {
  const ModuleTable table(kDep, "", "");
  EXPECT_EQ(table.closure({"one"}).size(), 2u);
}

TEST(ModuleClosure, RefusesLinesThatAreNoModules) {
  for (const char* dep : {"kernel/a.ko\n", "../../etc/passwd: kernel/a.ko\n", "/kernel/a.ko:\n",
                          "kernel/a.ko: ../../../x.ko\n", "kernel/a:\n"}) {
    EXPECT_EQ(error_of([&] { ModuleTable(dep, "", ""); }).kind(), core::Kind::kImage) << dep;
  }
}

}  // namespace
}  // namespace imgforge::image
