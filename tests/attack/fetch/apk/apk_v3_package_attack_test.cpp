// Packages of apk 3 that must be refused, though an index names them.
#include <gtest/gtest.h>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "core/atomic_file.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using core::Kind;
using testing::adb_block;
using testing::AdbMaker;
using testing::AdbPacking;
using testing::error_of;
using testing::little_endian;
using testing::v3_hard_link;
using testing::v3_link;
using testing::V3File;
using testing::V3Package;

class ApkV3PackageAttack : public ::testing::Test {
 protected:
  void verify(const V3Package& package, const std::string& bytes, const std::string& identity = {}) {
    const std::filesystem::path path = folder_ / "package.apk";
    core::write_file_atomically(path, bytes);
    IndexEntry entry;
    entry.name = "hello";
    entry.version = "1.0-r0";
    entry.arch = "x86_64";
    entry.size = bytes.size();
    entry.identity = identity_of_bytes(identity.empty() ? package.identity() : identity);
    verify_package(path, entry);
  }
  /// The refusal of bytes that an index names by the package's identity; it must name the package.
  core::Error refusal(const V3Package& package, const std::string& bytes, const std::string& identity = {}) {
    const core::Error error = error_of([&] { verify(package, bytes, identity); });
    EXPECT_NE(error.message().find("hello-1.0-r0"), std::string::npos) << error.message();
    return error;
  }
  core::Error refusal(const V3Package& package) { return refusal(package, package.bytes()); }
  /// The refusal of a package with one file more.
  core::Error refusal(const V3File& file, const std::string& folder = "opt") {
    V3Package package;
    package.folders.push_back({folder, {file}});
    return refusal(package);
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-v3"};
};

TEST_F(ApkV3PackageAttack, AnotherOneThanTheIndexMeans) {
  const V3Package meant;
  ASSERT_NO_THROW(verify(meant, meant.bytes()));
  V3Package other;
  other.info.description = "other test";
  for (const std::size_t size : {std::size_t{20}, std::size_t{32}})
    EXPECT_EQ(refusal(meant, other.bytes(), meant.identity(size)).kind(), Kind::kIntegrity);
  // The database says to have the id that the index means, and has not.
  V3Package liar;
  liar.info.identity = meant.identity(20);
  EXPECT_EQ(refusal(meant, liar.bytes(), meant.identity(20)).kind(), Kind::kIntegrity);
  // An id that covers all but one thing.
  V3Package with_id;
  with_id.with_own_id = true;
  std::string database = with_id.database();
  const std::string id = with_id.own_id();
  ASSERT_NO_THROW(verify(with_id, with_id.bytes(), id));
  database[database.find("a test")] = 'b';
  EXPECT_EQ(refusal(with_id, with_id.bytes_with(database, with_id.contents()), id).kind(), Kind::kIntegrity);
}

TEST_F(ApkV3PackageAttack, OtherNameVersionOrArch) {
  for (int what = 0; what < 3; ++what) {
    V3Package package;
    (what == 0 ? package.info.name : what == 1 ? package.info.version : package.info.arch) = "9";
    EXPECT_EQ(refusal(package).kind(), Kind::kPackage) << what;
  }
}

TEST_F(ApkV3PackageAttack, ContentsThatAreNotTheFiles) {
  const V3Package package;
  const std::string database = package.database();
  const std::string hello = V3Package::content(3, 1, "#!/bin/sh\n");
  const std::string conf = V3Package::content(4, 2, "a=b\n");
  ASSERT_NO_THROW(verify(package, package.bytes_with(database, hello + conf)));
  struct Row {
    std::string contents;
    Kind kind;
  };
  for (const Row& row :
       {Row{V3Package::content(3, 1, "#!/bin/SH\n") + conf, Kind::kIntegrity},
        Row{conf + hello, Kind::kPackage}, Row{hello, Kind::kPackage}, Row{"", Kind::kPackage},
        Row{hello + conf + conf, Kind::kPackage}, Row{hello + hello, Kind::kPackage},
        Row{V3Package::content(3, 1, "a=b\n") + conf, Kind::kPackage},
        Row{V3Package::content(3, 2, "#!/bin/sh\n") + conf, Kind::kPackage},
        Row{hello + V3Package::content(4, 1, "a=b\n"), Kind::kPackage},
        Row{hello + V3Package::content(4, 2, "a=b\n\n"), Kind::kPackage},
        Row{hello + adb_block(2, "short") + conf, Kind::kPackage},
        Row{hello + adb_block(1, "signature") + conf, Kind::kPackage},
        Row{hello + conf + adb_block(0, database), Kind::kPackage}}) {
    EXPECT_EQ(refusal(package, package.bytes_with(database, row.contents)).kind(), row.kind);
  }
}

TEST_F(ApkV3PackageAttack, ContentsAreCheckedBeforeTheyAreTold) {
  const V3Package package;
  const std::string bytes = package.bytes_with(
      package.database(), V3Package::content(3, 1, "#!/bin/SH\n") + V3Package::content(4, 2, "a=b\n"));
  const std::filesystem::path path = folder_ / "package.apk";
  core::write_file_atomically(path, bytes);
  IndexEntry entry;
  entry.name = "hello";
  entry.version = "1.0-r0";
  entry.arch = "x86_64";
  entry.size = bytes.size();
  entry.identity = identity_of_bytes(package.identity());
  bool told = false;
  const auto see = [&](const artifacts::TarEntry& member, const ReadContent& read) {
    if (member.path != "usr/bin/hello") return;
    read(100);
    told = true;
  };
  EXPECT_EQ(error_of([&] { read_package(path, entry, see); }).kind(), Kind::kIntegrity);
  EXPECT_FALSE(told);
  const auto read_little = [](const artifacts::TarEntry& member, const ReadContent& read) {
    if (member.path == "usr/bin/hello") read(3);
  };
  EXPECT_EQ(error_of([&] { read_package(path, entry, read_little); }).kind(), Kind::kUnsafe);
}

TEST_F(ApkV3PackageAttack, CutAnywhere) {
  for (const AdbPacking packing : {AdbPacking::kNone, AdbPacking::kShortDeflate, AdbPacking::kZstd}) {
    V3Package package;
    package.packing = packing;
    const std::string whole = package.bytes();
    ASSERT_NO_THROW(verify(package, whole));
    for (std::size_t size = 4; size < whole.size(); size += 11) {
      const Kind kind = refusal(package, whole.substr(0, size)).kind();
      EXPECT_TRUE(kind == Kind::kPackage || kind == Kind::kIntegrity) << size;
    }
    EXPECT_EQ(refusal(package, whole + "x").kind(), Kind::kPackage);
  }
}

TEST_F(ApkV3PackageAttack, PathsThatLeadElsewhere) {
  for (const char* name : {"", "..", "a/b", "../x", "/x"}) {
    const Kind kind = refusal(V3File{name, "x"}).kind();
    EXPECT_TRUE(kind == Kind::kUnsafe || kind == Kind::kPackage || kind == Kind::kArchive) << name;
  }
  for (const char* folder : {"/etc", "../etc", "a/../../b", "a//b"}) {
    const Kind kind = refusal(V3File{"x", "x"}, folder).kind();
    EXPECT_TRUE(kind == Kind::kUnsafe || kind == Kind::kArchive) << folder;
  }
  // Through a link that leaves the package.
  V3Package package;
  package.folders = {{"", {{"out", "", v3_link("/etc")}}}, {"out", {{"passwd", "x"}}}};
  EXPECT_EQ(refusal(package).kind(), Kind::kArchive) << "named twice";
  package.folders = {{"", {{"out", "", v3_link("../..")}}}, {"out/etc", {{"passwd", "x"}}}};
  EXPECT_EQ(refusal(package).kind(), Kind::kUnsafe);
  package.folders = {{"", {{"twice", "x"}, {"twice", "y"}}}};
  EXPECT_EQ(refusal(package).kind(), Kind::kArchive);
}

TEST_F(ApkV3PackageAttack, LinksAndDevices) {
  EXPECT_EQ(refusal(V3File{"link", "", v3_hard_link("etc/shadow")}).kind(), Kind::kUnsafe);
  EXPECT_EQ(refusal(V3File{"link", "", v3_hard_link("../x")}).kind(), Kind::kUnsafe);
  EXPECT_EQ(refusal(V3File{"link", "", v3_link("")}).kind(), Kind::kPackage);
  EXPECT_EQ(refusal(V3File{"link", "", v3_link(std::string("a\0b", 3))}).kind(), Kind::kPackage);
  EXPECT_EQ(refusal(V3File{"link", "", v3_link(std::string(5000, 'x'))}).kind(), Kind::kPackage);
  EXPECT_EQ(refusal(V3File{"link", "", "x"}).kind(), Kind::kPackage);
  for (const unsigned type : {0x1000U, 0x2000U, 0x6000U})
    EXPECT_EQ(refusal(V3File{"node", "", little_endian(type, 2) + std::string(8, '\1')}).kind(),
              Kind::kUnsafe);
  for (const unsigned type : {0U, 0x4000U, 0xc000U})
    EXPECT_EQ(refusal(V3File{"node", "", little_endian(type, 2) + "x"}).kind(), Kind::kPackage);
}

TEST_F(ApkV3PackageAttack, SizesAndDigestsThatCannotBe) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{20}, std::size_t{33}})
    EXPECT_EQ(refusal(V3File{.name = "f", .content = "x", .digest = std::string(size, 'd')}).kind(),
              Kind::kPackage);
  EXPECT_EQ(refusal(V3File{.name = "f", .digest = std::string(32, 'd')}).kind(), Kind::kIntegrity)
      << "an empty file has a digest, too";
  EXPECT_EQ(refusal(V3File{.name = "f", .content = "x", .size = std::uint64_t{1} << 40}).kind(),
            Kind::kUnsafe);
  EXPECT_EQ(refusal(V3File{.name = "f", .content = "x", .size = 2}).kind(), Kind::kPackage);
}

TEST_F(ApkV3PackageAttack, FilesWithoutNumber) {
  V3Package package;
  AdbMaker adb;
  const auto info = package.info.write(adb);
  const auto access = adb.object({adb.number(0755)});
  const auto folder = adb.object({adb.blob("usr"), access});
  // Folders may come again, but not for ever.
  const std::string database =
      adb.finish(adb.object({info, adb.object(std::vector<AdbMaker::Tag>(900'000, folder))}));
  EXPECT_EQ(refusal(package, package.bytes_with(database, ""),
                    testing::digest_bytes(core::HashAlgorithm::kSha256, database))
                .kind(),
            Kind::kUnsafe);
}

TEST_F(ApkV3PackageAttack, AnIndexInItsPlace) {
  const V3Package package;
  EXPECT_EQ(refusal(package, "ADB.indx" + adb_block(0, package.database())).kind(), Kind::kPackage);
  EXPECT_EQ(refusal(package, "ADB.pckg").kind(), Kind::kPackage);
  EXPECT_EQ(refusal(package, "ADB.pckg" + adb_block(0, "short")).kind(), Kind::kPackage);
}

}  // namespace
}  // namespace imgforge::fetch
