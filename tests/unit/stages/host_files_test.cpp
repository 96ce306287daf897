// Files of this machine and the packages that they came from.
#include "builder/stages/host_files.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

/// Answers as dpkg-query would, and keeps what it was asked.
class Dpkg : public core::ProcessRunner {
 public:
  core::ProcessResult run(const core::Command& command, const core::CancelToken&) override {
    asked.push_back(command);
    if (failure) throw core::Error(*failure, "no dpkg-query");
    return {1, command.args.at(0) == "--search" ? owners : details, ""};
  }
  std::vector<core::Command> asked;
  std::optional<core::Kind> failure;
  std::string owners;
  std::string details;
};

class HostFiles : public testing::Test {
 protected:
  HostFiles() {
    for (const char* name : {"loader", "menu"}) std::ofstream(path(name)) << name;
  }
  fs::path path(std::string_view name) const { return folder_ / name; }
  std::vector<HostFile> look() { return look_up_host_files({path("menu"), path("loader")}, dpkg_, {}); }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-host-files"};
  Dpkg dpkg_;
};

TEST_F(HostFiles, HaveDigestPackageVersionAndSource) {
  dpkg_.owners =
      "isolinux:amd64: " + path("loader").native() + "\nsyslinux-common: /usr" + path("menu").native() + "\n";
  dpkg_.details =
      "isolinux:amd64\tisolinux\t3:6.04-1\tamd64\tsyslinux\nsyslinux-common\tsyslinux-common\t3:6.04-"
      "1\tall\tsyslinux\n";
  const std::vector<HostFile> found = look();
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].path, path("loader"));
  EXPECT_EQ(found[0].sha256, core::digest_of(core::HashAlgorithm::kSha256, "loader"));
  EXPECT_EQ(found[0].package, "isolinux");
  EXPECT_EQ(found[0].version, "3:6.04-1");
  EXPECT_EQ(found[0].arch, "amd64");
  EXPECT_EQ(found[0].source_package, "syslinux");
  EXPECT_FALSE(found[0].vendor.empty());
  EXPECT_EQ(found[1].package, "syslinux-common") << "known to its package by the path below /usr";
  ASSERT_THAT(dpkg_.asked, SizeIs(2)) << "two questions, however many files";
  EXPECT_THAT(dpkg_.asked[1].args, Contains("isolinux:amd64"));
}

TEST_F(HostFiles, WithoutDpkgAreKnownByTheirDigest) {
  dpkg_.failure = core::Kind::kMachine;
  const std::vector<HostFile> found = look();
  ASSERT_THAT(found, SizeIs(2));
  for (const HostFile& file : found) {
    EXPECT_FALSE(file.sha256.empty());
    EXPECT_EQ(file.package + file.version + file.vendor, "");
  }
}

TEST_F(HostFiles, WhatSaysNotWhoseAFileIsCountsForNothing) {
  dpkg_.owners = "diversion by dash from: " + path("loader").native() + "\na, b: " + path("menu").native() +
                 "\nrubbish\n: \n";
  for (const HostFile& file : look()) EXPECT_EQ(file.package, "");
  dpkg_.owners = "isolinux: " + path("loader").native() + "\n";
  dpkg_.details = "isolinux\tisolinux\nisolinux\n";
  EXPECT_EQ(look()[0].package, "");
}

TEST_F(HostFiles, AnInterruptedQuestionEndsTheBuild) {
  dpkg_.failure = core::Kind::kInterrupted;
  EXPECT_THROW(look(), core::Error);
}

TEST_F(HostFiles, NoFilesAskNobody) {
  EXPECT_THAT(look_up_host_files({}, dpkg_, {}), IsEmpty());
  EXPECT_THAT(dpkg_.asked, IsEmpty());
}

}  // namespace
}  // namespace imgforge::stages
