// Disks grown and converted: what sfdisk and e2fsck say of them, and what is refused.
#include "builder/image/disk/disk_grow.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "builder/image/disk/disk_convert.hpp"
#include "builder/image/fs/ext4.hpp"
#include "builder/image/raw_image.hpp"
#include "core/random.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
using ::testing::HasSubstr;

constexpr std::uint64_t kDisk = 64 * kMebibyte;

class DiskGrow : public testing::ImageTest {
 protected:
  /// A disk with a partition of data and an ext4 root.
  std::filesystem::path make_disk_image(const std::string& name, const char* root_type = kRootX86Type) {
    const std::filesystem::path image = path(name);
    RawImage raw(image, core::Bytes{kDisk});
    const std::uint64_t size = kDisk - 9 * kMebibyte;
    write_gpt(image, core::derived_uuid("disk"),
              {{"boot", kEspType, core::derived_uuid("a"), kMebibyte, 7 * kMebibyte, LegacyBoot::kYes},
               {"root", root_type, core::derived_uuid("b"), 8 * kMebibyte, size, LegacyBoot::kNo}},
              std::string(440, '\x42'));
    make_empty_ext4(image, {core::derived_uuid("fs"), "root", 8 * kMebibyte, size, 1000},
                    core::system_processes(), {});
    raw.keep();
    return image;
  }
  GrownDisk grow(const std::filesystem::path& image, core::Bytes size) {
    return grow_disk(image, size, image.parent_path(), core::system_processes(), {});
  }
  void refused(const std::filesystem::path& image, core::Bytes size, Kind kind, const std::string& says) {
    try {
      grow(image, size);
      ADD_FAILURE() << "grown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.message();
      EXPECT_THAT(error.message(), HasSubstr(says));
    }
  }
};

TEST_F(DiskGrow, KeepsAllButTheEnd) {
  const std::filesystem::path image = make_disk_image("disk.img");
  const GptLayout before = read_gpt(image);
  const GrownDisk grown = grow(image, core::Bytes{200 * kMebibyte - 5});
  EXPECT_EQ(grown.after, core::mib(200));
  EXPECT_EQ(std::filesystem::file_size(image), 200 * kMebibyte);
  const GptLayout after = read_gpt(image);
  EXPECT_EQ(after.disk_uuid, before.disk_uuid);
  ASSERT_EQ(after.partitions.size(), 2U);
  EXPECT_EQ(after.partitions[0].size, before.partitions[0].size);
  EXPECT_EQ(after.partitions[0].legacy_boot, LegacyBoot::kYes);
  EXPECT_EQ(after.partitions[1].uuid, before.partitions[1].uuid);
  EXPECT_EQ(after.partitions[1].size, 191 * kMebibyte);
  EXPECT_EQ(read_boot_code(image), std::string(440, '\x42'));
  EXPECT_THAT(run("sfdisk", {"-V", image}), HasSubstr("No errors detected"));
  run("dd", {"if=disk.img", "of=root", "bs=1M", "skip=8", "count=191", "status=none"});
  run("e2fsck", {"-fn", "root"});
  EXPECT_THAT(run("dumpe2fs", {"-h", "root"}), HasSubstr(std::to_string(191 * kMebibyte / 4096)));
}

TEST_F(DiskGrow, IsReproducible) {
  const std::filesystem::path one = make_disk_image("one.img");
  grow(one, core::mib(150));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // another second in every time stamp
  const std::filesystem::path two = make_disk_image("two.img");
  grow(two, core::mib(150));
  EXPECT_TRUE(slurp(one) == slurp(two));
}

TEST_F(DiskGrow, Refuses) {
  const std::filesystem::path image = make_disk_image("disk.img");
  refused(image, core::mib(64), Kind::kUsage, "only grows");
  refused(image, core::mib(1), Kind::kUsage, "only grows");
  refused(image, core::gib(std::uint64_t{1} << 20), Kind::kUsage, "more than");
  refused(make_disk_image("sealed.img", kRootVerityX86Type), core::mib(200), Kind::kImage, "sealed");
  spill(path("zeros"), std::string(4 * kMebibyte, '\0'));
  refused(path("zeros"), core::mib(200), Kind::kImage, "no GPT");
  const std::filesystem::path empty = make_disk_image("empty.img");
  run("dd", {"if=/dev/zero", "of=empty.img", "bs=1M", "seek=8", "count=1", "conv=notrunc", "status=none"});
  refused(empty, core::mib(200), Kind::kImage, "no ext4");
}

TEST_F(DiskGrow, ConvertsThereAndBack) {
  const std::filesystem::path image = make_disk_image("disk.img");
  for (const std::string_view format : disk_formats()) {
    SCOPED_TRACE(format);
    const std::filesystem::path packed = path("packed." + std::string(format));
    const std::filesystem::path back = path("back." + std::string(format));
    pack_disk(image, format, packed, {"test"}, core::system_processes(), {});
    unpack_disk(packed, format, back, core::system_processes(), {});
    EXPECT_TRUE(slurp(image) == slurp(back));
  }
  spill(path("secret"), "secret");
  run("qemu-img", {"create", "-q", "-f", "qcow2", "-b", "secret", "-F", "raw", "backed.qcow2", "1M"});
  EXPECT_THROW(unpack_disk(path("backed.qcow2"), "qcow2", path("out"), core::system_processes(), {}), Error);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST(FullDisk, IsToldFromWhatProgramsSay) {
  Error error(Kind::kImage, "qemu-img failed");
  error.quote("qemu-img: error while writing: File too large");
  EXPECT_EQ(full_disk_error(error).kind(), Kind::kNoSpace);
  EXPECT_EQ(full_disk_error(Error(Kind::kImage, "x")).kind(), Kind::kImage);
}

}  // namespace
}  // namespace imgforge::image
