#include "builder/image/disk/qcow2.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

class Qcow2Test : public testing::ImageTest {
 protected:
  void SetUp() override {
    std::string content(5 << 20, '\0');
    for (std::size_t i = 0; i < 2u << 20; ++i) content[i] = static_cast<char>(i / 977);
    spill(path("disk.img"), content);
  }
  Qcow2Facts write(const char* name, ClusterCompression compression) const {
    return write_qcow2(path("disk.img"), path(name), compression, core::system_processes(), {});
  }
};

TEST_F(Qcow2Test, HoldsTheSameContentInEveryCompression) {
  for (const auto compression :
       {ClusterCompression::kZstd, ClusterCompression::kZlib, ClusterCompression::kNone}) {
    const Qcow2Facts facts = write("disk.qcow2", compression);
    EXPECT_EQ(facts.virtual_size, core::mib(5));
    EXPECT_EQ(facts.cluster_size, core::kib(64));
    EXPECT_EQ(facts.compression_type == ClusterCompression::kZstd, compression == ClusterCompression::kZstd);
    run("qemu-img", {"compare", "-f", "raw", "-F", "qcow2", "disk.img", "disk.qcow2"});
    if (compression != ClusterCompression::kNone) {
      EXPECT_LT(std::filesystem::file_size(path("disk.qcow2")), 1u << 20);
    }
    std::filesystem::remove(path("disk.qcow2"));
  }
}

TEST_F(Qcow2Test, EqualImagesGiveEqualFiles) {
  write("a.qcow2", ClusterCompression::kZstd);
  write("b,c:d.qcow2", ClusterCompression::kZstd);
  EXPECT_EQ(slurp(path("a.qcow2")), slurp(path("b,c:d.qcow2")));
}

TEST_F(Qcow2Test, DoesNotReplaceAFileAndLeavesNothingOnFailure) {
  spill(path("there.qcow2"), "precious");
  EXPECT_EQ(error_of([&] { write("there.qcow2", ClusterCompression::kZstd); }).kind(), core::Kind::kImage);
  EXPECT_EQ(slurp(path("there.qcow2")), "precious");
  const core::Error error = error_of([&] {
    write_qcow2(path("missing.img"), path("new.qcow2"), ClusterCompression::kZstd, core::system_processes(),
                {});
  });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_EQ(names_left(), (std::set<std::string>{"disk.img", "there.qcow2"}));
}

}  // namespace
}  // namespace imgforge::image
