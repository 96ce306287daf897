#include "builder/image/disk/gpt.hpp"
#include "builder/image/disk/qcow2.hpp"
#include "builder/image/fs/ext4.hpp"
#include "builder/image/raw_image.hpp"
#include "unit/compare/compare_testing.hpp"

namespace imgforge::compare {
namespace {

using image::kMebibyte;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kDisk = "11111111-2222-8333-8444-555555555555";
constexpr const char* kPart = "AAAAAAAA-BBBB-8CCC-8DDD-EEEEEEEEEEEE";

class Disks : public testing::CompareTest {
 protected:
  void disk(const char* name, const std::string& text, const char* uuid = kDisk) const {
    std::filesystem::remove(path(name));
    image::RawImage image(path(name), core::mib(40));
    image::write_gpt(path(name), uuid, {{"root", image::kRootX86Type, kPart, kMebibyte, 32 * kMebibyte}}, "");
    image::testing::TarBuilder(path("tar")).directory("etc").file("etc/uuid", text).finish();
    image::make_ext4(path("tar"), path(name), {kPart, "root", kMebibyte, 32 * kMebibyte, 1763600000},
                     core::system_processes(), {});
    image.keep();
  }
  void qcow2(const char* name) const {
    const auto raw = path(std::string(name) + ".raw");
    std::filesystem::rename(path(name), raw);
    image::write_qcow2(raw, path(name), image::ClusterCompression::kZstd, core::system_processes(), {});
  }
};

TEST_F(Disks, FromTheDiskDownToTheLine) {
  disk("a", "one\n");
  disk("b", "two\n");
  qcow2("a");
  qcow2("b");
  EXPECT_THAT(told(), AllOf(HasSubstr("file (qcow2)\n"),
                            HasSubstr("  disk (raw)\n"
                                      "    partition 1 (root) (ext4)\n"),
                            HasSubstr("      /etc/uuid (text)\n"
                                      "        line 1: \"one\" -> \"two\"\n")));
}

TEST_F(Disks, FieldsOfBothCopiesOfTheGptAreNamed) {
  disk("a", "one\n");
  disk("b", "one\n", "11111111-2222-8333-8444-666666666666");
  EXPECT_THAT(told(), AllOf(HasSubstr("  GPT header\n"),
                            HasSubstr("    disk GUID: 11111111-2222-8333-8444-555555555555 -> "
                                      "11111111-2222-8333-8444-666666666666\n"),
                            HasSubstr("  backup GPT header\n"), Not(HasSubstr("outside of partitions"))));
}

TEST_F(Disks, FieldsOfTheMbrAreNamed) {
  disk("a", "one\n");
  change(440, "\x01");
  EXPECT_EQ(told(), "file (raw)\n  protective MBR\n    disk signature: 0x0 -> 0x1\n");
}

TEST_F(Disks, EntriesOfTheGptAreNamed) {
  disk("a", "one\n");
  change(1024 + 48, std::string("\x04", 1));
  EXPECT_EQ(told(), "file (raw)\n  GPT entry 1\n    attributes: 0x0 -> 0x4\n");
}

TEST_F(Disks, BytesBetweenPartitionsAreToldByOffset) {
  disk("a", "one\n");
  change(100'000, "x");
  EXPECT_THAT(told(), HasSubstr("outside of partitions, from byte"));
}

TEST_F(Disks, TheHeaderOfAQcow2IsNamed) {
  disk("a", "one\n");
  qcow2("a");
  change(8 * 11, std::string("\0\0\0\0\0\0\0\1", 8));
  EXPECT_THAT(told(), AllOf(HasSubstr("qcow2 header\n    autoclear_features: 0 -> 1\n"),
                            HasSubstr("not looked into")));
}

}  // namespace
}  // namespace imgforge::compare
