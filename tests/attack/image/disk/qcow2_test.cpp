// qcow2 files made to mislead: each is refused before qemu-img is started on it.
#include "builder/image/disk/qcow2.hpp"

#include <gmock/gmock.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using testing::error_of;
using ::testing::HasSubstr;

/// Fails the test when it is asked to start anything.
class NoProcesses : public core::ProcessRunner {
 public:
  core::ProcessResult run(const core::Command& command, const core::CancelToken&) override {
    ADD_FAILURE() << command.program << " was started";
    return {};
  }
};

class HostileQcow2 : public testing::ImageTest {
 protected:
  void SetUp() override {
    run("qemu-img", {"create", "-q", "-f", "qcow2", "good.qcow2", "16M"});
    good_ = slurp(path("good.qcow2"));
    spill(path("secret"), std::string(1 << 20, 's'));
  }

  std::string refusal(const std::string& content) const {
    spill(path("bad.qcow2"), content);
    return refusal_of("bad.qcow2");
  }

  std::string refusal_of(const char* name) const {
    NoProcesses none;
    const core::Error error = error_of([&] { check_qcow2(path(name), none, {}); });
    EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
    return error.message();
  }

  /// The good image with a big-endian number at `offset`.
  std::string with(std::size_t offset, std::size_t size, std::uint64_t value) const {
    std::string out = good_;
    for (std::size_t i = 0; i < size; ++i) out[offset + i] = static_cast<char>(value >> (8 * (size - 1 - i)));
    return out;
  }

  std::string good_;
};

TEST_F(HostileQcow2, TheUnchangedImageIsAccepted) {
  EXPECT_EQ(check_qcow2(path("good.qcow2"), core::system_processes(), {}).virtual_size, core::mib(16));
}

TEST_F(HostileQcow2, FilesOfTheHostAreNeverFollowed) {
  run("qemu-img",
      {"create", "-q", "-f", "qcow2", "-b", path("secret").native(), "-F", "raw", "backed.qcow2"});
  EXPECT_THAT(refusal_of("backed.qcow2"), HasSubstr("backing file"));
  run("qemu-img",
      {"create", "-q", "-f", "qcow2", "-o", "data_file=" + path("data").native(), "outside.qcow2", "1M"});
  EXPECT_THAT(refusal_of("outside.qcow2"), HasSubstr("external file"));
}

TEST_F(HostileQcow2, WhatAReleaseNeverHasIsRefused) {
  run("qemu-img", {"snapshot", "-c", "one", "good.qcow2"});
  EXPECT_THAT(refusal_of("good.qcow2"), HasSubstr("snapshots"));
  run("qemu-img", {"create", "-q", "-f", "qcow2", "bitmap.qcow2", "1M"});
  run("qemu-img", {"bitmap", "--add", "-f", "qcow2", "bitmap.qcow2", "b0"});
  EXPECT_THAT(refusal_of("bitmap.qcow2"), HasSubstr("bitmaps"));
  EXPECT_THAT(refusal(with(32, 4, 1)), HasSubstr("encrypted"));
  EXPECT_THAT(refusal(with(72, 8, 1)), HasSubstr("dirty"));
  EXPECT_THAT(refusal(with(72, 8, 2)), HasSubstr("corrupt"));
  EXPECT_THAT(refusal(with(72, 8, 1u << 20)), HasSubstr("unknown features"));
}

TEST_F(HostileQcow2, ImpossibleNumbersAreRefused) {
  EXPECT_THAT(refusal(with(4, 4, 4)), HasSubstr("version 4"));
  EXPECT_THAT(refusal(with(4, 4, 2)), HasSubstr("version 2"));
  EXPECT_THAT(refusal(with(20, 4, 63)), HasSubstr("cluster size"));
  EXPECT_THAT(refusal(with(20, 4, 0)), HasSubstr("cluster size"));
  EXPECT_THAT(refusal(with(24, 8, (std::uint64_t{1} << 63) - 512)), HasSubstr("virtual size"));
  EXPECT_THAT(refusal(with(24, 8, 0)), HasSubstr("virtual size"));
  EXPECT_THAT(refusal(with(24, 8, std::uint64_t{1} << 45)), HasSubstr("first table"));
  EXPECT_THAT(refusal(with(36, 4, 0xFFFFFFFF)), HasSubstr("first table"));
  EXPECT_THAT(refusal(with(40, 8, ~std::uint64_t{0})), HasSubstr("first table"));
  EXPECT_THAT(refusal(with(40, 8, 12345)), HasSubstr("first table"));
  EXPECT_THAT(refusal(with(48, 8, std::uint64_t{1} << 40)), HasSubstr("reference count"));
  EXPECT_THAT(refusal(with(56, 4, 0xFFFFFFFF)), HasSubstr("reference count"));
  EXPECT_THAT(refusal(with(100, 4, 0)), HasSubstr("header"));
  EXPECT_THAT(refusal(with(100, 4, 0x7FFFFFF8)), HasSubstr("header"));
  EXPECT_THAT(refusal(with(104, 1, 7)), HasSubstr("compression type"));
}

TEST_F(HostileQcow2, OtherAndCutFilesAreRefused) {
  for (const std::size_t size : {0, 1, 71, 72, 103, 4096}) refusal(good_.substr(0, size));
  EXPECT_THAT(refusal(std::string(4096, '\0')), HasSubstr("not a qcow2"));
}

TEST_F(HostileQcow2, DamageBehindTheHeaderIsFoundByTheChecker) {
  run("qemu-io", {"-f", "qcow2", "-c", "write -P 1 0 1M", "good.qcow2"});
  std::string damaged = slurp(path("good.qcow2"));
  damaged.replace(0x30000, 8, std::string(8, '\xff'));  // an entry of the first table
  spill(path("bad.qcow2"), damaged);
  const core::Error error = error_of([&] { check_qcow2(path("bad.qcow2"), core::system_processes(), {}); });
  EXPECT_EQ(error.kind(), core::Kind::kImage);
  EXPECT_THAT(error.message(), HasSubstr("damaged"));
}

}  // namespace
}  // namespace imgforge::image
