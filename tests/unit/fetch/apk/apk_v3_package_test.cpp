// Packages of apk 3 against the entry of an index.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "support/apk_maker.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"
#include "support/source_dir.hpp"

namespace imgforge::fetch {
namespace {

namespace fs = std::filesystem;
using artifacts::EntryType;
using testing::AdbPacking;
using testing::error_of;
using testing::V3Package;

class ApkV3Packages : public ::testing::Test {
 protected:
  fs::path file(const std::string& bytes) {
    const fs::path path = folder_ / "package.apk";
    core::write_file_atomically(path, bytes);
    return path;
  }
  static IndexEntry entry(const V3Package& package, std::size_t size, const std::string& identity) {
    IndexEntry out;
    out.name = package.info.name;
    out.version = package.info.version;
    out.arch = "x86_64";
    out.size = size;
    out.identity = identity_of_bytes(identity);
    return out;
  }
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-v3"};
};

TEST_F(ApkV3Packages, TellWhatTheyInstall) {
  const V3Package package;
  const std::string bytes = package.bytes();
  std::map<std::string, artifacts::TarEntry> entries;
  std::map<std::string, std::string> contents;
  read_package(file(bytes), entry(package, bytes.size(), package.identity()),
               [&](const artifacts::TarEntry& member, const ReadContent& read) {
                 entries[member.path] = member;
                 if (member.type == EntryType::kFile && member.path != "etc/empty")
                   contents[member.path] = read(1 << 20);
               });
  EXPECT_EQ(entries.size(), 8U);
  EXPECT_EQ(entries["usr/bin"].type, EntryType::kDirectory);
  EXPECT_EQ(entries["usr/bin/hello"].mode, 0755U);
  EXPECT_EQ(entries["usr/bin/hello"].mtime, 1'700'000'000);
  EXPECT_EQ(entries["usr/bin/hello-link"].type, EntryType::kSymlink);
  EXPECT_EQ(entries["usr/bin/hello-link"].link_target, "hello");
  EXPECT_EQ(entries["usr/bin/hello-too"].type, EntryType::kHardlink);
  EXPECT_EQ(entries["usr/bin/hello-too"].link_target, "usr/bin/hello");
  EXPECT_EQ(contents["usr/bin/hello"], "#!/bin/sh\n");
  EXPECT_EQ(contents["etc/hello.conf"], "a=b\n");
}

TEST_F(ApkV3Packages, AreKnownByEachFormOfChecksum) {
  V3Package package;
  for (const bool with_own_id : {false, true}) {
    package.with_own_id = with_own_id;
    const std::string bytes = package.bytes();
    std::vector<std::string> identities{package.identity(32), package.identity(20)};
    if (with_own_id) identities.push_back(package.own_id());
    for (const std::string& identity : identities)
      EXPECT_NO_THROW(verify_package(file(bytes), entry(package, bytes.size(), identity)));
  }
}

TEST_F(ApkV3Packages, AreReadHoweverTheyArePacked) {
  V3Package package;
  package.info.arch = "noarch";
  package.folders[3].files.push_back({"large", std::string(300'000, 'x')});
  for (const AdbPacking packing : {AdbPacking::kNone, AdbPacking::kShortDeflate, AdbPacking::kNamedNone,
                                   AdbPacking::kNamedDeflate, AdbPacking::kZstd}) {
    package.packing = packing;
    const std::string bytes = package.bytes();
    EXPECT_NO_THROW(verify_package(file(bytes), entry(package, bytes.size(), package.identity())));
  }
  package.folders.clear();
  const std::string bytes = package.bytes();
  EXPECT_NO_THROW(verify_package(file(bytes), entry(package, bytes.size(), package.identity())));
}

TEST_F(ApkV3Packages, HaveNoPkginfo) {
  const V3Package package;
  const std::string bytes = package.bytes();
  const core::Error error =
      error_of([&] { read_pkginfo(file(bytes), entry(package, bytes.size(), package.identity())); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_NE(error.message().find("a package of apk 3"), std::string::npos) << error.message();
}

TEST_F(ApkV3Packages, OfApk2AreKnownBySha256AsWell) {
  const testing::ApkParts parts;
  static const testing::ApkKey key;
  const std::string bytes = parts.bytes(key);
  IndexEntry entry;
  entry.name = parts.name;
  entry.version = parts.version;
  entry.arch = parts.arch;
  entry.size = bytes.size();
  entry.identity = core::digest_of(core::HashAlgorithm::kSha256, parts.control_member());
  EXPECT_NO_THROW(verify_package(file(bytes), entry));
  entry.identity = core::digest_of(core::HashAlgorithm::kSha256, "another");
  EXPECT_EQ(error_of([&] { verify_package(file(bytes), entry); }).kind(), core::Kind::kIntegrity);
}

TEST_F(ApkV3Packages, RealOnesAreWhatTheirRealIndexMeans) {
  const fs::path real = alpine_material().parent_path() / "real" / "apk-v3";
  if (!fs::exists(real)) GTEST_SKIP() << "the real files are missing: " << real;
  const Index index =
      read_medium_index(core::read_text_file(real / "chimera-Packages.adb", 1 << 20), "x86_64", "chimera");
  std::size_t found = 0;
  for (const IndexEntry& entry : index.entries()) {
    const fs::path package = real / ("chimera-" + entry.file_name());
    if (!fs::exists(package)) continue;
    EXPECT_EQ(entry.identity.algorithm(), core::HashAlgorithm::kSha1) << "apk mkpkg's own id";
    EXPECT_NO_THROW(verify_package(package, entry)) << package;
    ++found;
  }
  EXPECT_EQ(found, 3U);
}

TEST(ApkIdentity, HasAFormForEachLength) {
  const core::Digest sha1 = core::digest_of(core::HashAlgorithm::kSha1, "x");
  const core::Digest sha256 = core::digest_of(core::HashAlgorithm::kSha256, "x");
  for (const core::Digest& identity : {sha1, sha256})
    EXPECT_EQ(parse_identity(identity_text(identity)), identity);
  EXPECT_EQ(identity_text(sha256).substr(0, 2), "Q2");
  EXPECT_EQ(installed_identity_text(sha1), identity_text(sha1));
  EXPECT_EQ(installed_identity_text(sha256).size(), identity_text(sha1).size());
  for (const std::string& bad :
       {std::string(), std::string("Q1"), "Q3" + identity_text(sha1).substr(2), std::string("Q1!!!"),
        "Q2" + identity_text(sha1).substr(2), "Q1" + identity_text(sha256).substr(2)})
    EXPECT_EQ(error_of([&] { parse_identity(bad); }).kind(), core::Kind::kIntegrity) << bad;
}

}  // namespace
}  // namespace imgforge::fetch
