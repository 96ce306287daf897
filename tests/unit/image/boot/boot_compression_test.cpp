#include "builder/image/boot/boot_compression.hpp"

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;

class CompressionTest : public testing::ImageTest {
 protected:
  std::string text() const {
    std::string out;
    for (int i = 0; i < 20000; ++i) out += "module line " + std::to_string(i * 7919) + "\n";
    return out;
  }
};

TEST_F(CompressionTest, KernelsUnpackersFindWhatTheyExpect) {
  spill(path("a.gz"), compress_initramfs(text(), InitramfsCompression::kGzip));
  spill(path("a.zst"), compress_initramfs(text(), InitramfsCompression::kZstd));
  run("gzip", {"-d", "a.gz"});
  EXPECT_EQ(slurp(path("a")), text());
  run("zstd", {"-q", "-d", "-f", "-M8MB", "a.zst", "-o", "b"});
  EXPECT_EQ(slurp(path("b")), text());
}

TEST_F(CompressionTest, HasNoTimeInside) {
  const std::string gzip = compress_initramfs(text(), InitramfsCompression::kGzip);
  EXPECT_EQ(gzip.substr(4, 4), std::string(4, '\0'));
}

TEST_F(CompressionTest, UnpacksModulesOfEveryDistribution) {
  spill(path("m.ko"), text());
  run("gzip", {"-k", "m.ko"});
  run("xz", {"-k", "--check=crc32", "m.ko"});
  run("zstd", {"-q", "m.ko"});
  for (const char* name : {"m.ko", "m.ko.gz", "m.ko.xz", "m.ko.zst"}) {
    EXPECT_EQ(unpack_module(slurp(path(name)), name), text()) << name;
  }
}

TEST_F(CompressionTest, RefusesDamageBombsAndUnknownKinds) {
  spill(path("m.ko"), text());
  run("gzip", {"-k", "m.ko"});
  run("xz", {"-k", "m.ko"});
  run("zstd", {"-q", "m.ko"});
  for (const char* name : {"m.ko.gz", "m.ko.xz", "m.ko.zst"}) {
    const std::string whole = slurp(path(name));
    const std::string half = whole.substr(0, whole.size() / 2);
    EXPECT_EQ(error_of([&] { unpack_module(half, name); }).kind(), core::Kind::kImage) << name;
    EXPECT_EQ(error_of([&] { unpack_module("", name); }).kind(), core::Kind::kImage) << name;
    EXPECT_EQ(error_of([&] { unpack_module("noise, not compressed at all", name); }).kind(),
              core::Kind::kImage)
        << name;
    EXPECT_EQ(error_of([&] { unpack_module(whole, name, 1000); }).kind(), core::Kind::kImage) << name;
  }
  EXPECT_EQ(error_of([&] { unpack_module("x", "m.ko.lz4"); }).kind(), core::Kind::kImage);
}

}  // namespace
}  // namespace imgforge::image
