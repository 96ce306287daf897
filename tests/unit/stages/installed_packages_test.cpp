// All installed packages in a manifest and its SBOM: out of the image's own database, with what came with the
// base marked.
#include "builder/stages/installed_packages.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <set>

#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using artifacts::ManifestPackage;
using core::Json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

constexpr const char* kChecksum = "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=";

std::string record(const std::string& name, const std::string& version) {
  return std::string("C:") + kChecksum + "\nP:" + name + "\nV:" + version + "\nA:x86_64\nF:lib\nR:x\nR:y\n\n";
}

ManifestPackage chosen(const std::string& name, const std::string& version) {
  return {name,      version, "x86_64", "https://mirror.example/main",
          kChecksum, "",      "",       core::digest_of(core::HashAlgorithm::kSha256, name),
          99};
}

class InstalledPackages : public testing::Test {
 protected:
  /// A root file system with these files; a content that begins with "->" is a link.
  artifacts::VerifiedFile tar(const std::vector<std::pair<std::string, std::string>>& files) {
    const fs::path file = folder_ / "rootfs.tar";
    core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
    artifacts::TarWriter writer(fd.get(), file.native());
    std::set<std::string> there;
    for (const auto& [path, content] : files) {
      for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
        artifacts::TarEntry folder;
        folder.path = path.substr(0, at);
        folder.type = artifacts::EntryType::kDirectory;
        if (there.insert(folder.path).second) writer.add(folder);
      }
      artifacts::TarEntry entry;
      entry.path = path;
      there.insert(path);
      const bool link = content.starts_with("->");
      if (link) {
        entry.type = artifacts::EntryType::kSymlink;
        entry.link_target = content.substr(2);
      }
      writer.add(entry, link ? "" : content);
    }
    writer.finish();
    fd.close(file.native());
    return artifacts::BlobStore(folder_ / "blobs").adopt(file);
  }
  static std::vector<std::string> texts(const std::vector<ManifestPackage>& packages) {
    std::vector<std::string> rows;
    for (const ManifestPackage& row : packages)
      rows.push_back(row.name + " " + row.version + (row.from_base ? " base" : " " + row.repository));
    return rows;
  }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-installed"};
};

const std::string kDatabase = record("zlib", "1.3-r0") + record("jq", "1.7-r0") + record("musl", "1.2-r1");

TEST_F(InstalledPackages, ChosenOnesComeFirstAndTheBaseIsMarked) {
  const auto packages =
      installed_packages(tar({{"lib/apk/db/installed", kDatabase}}), {chosen("jq", "1.7-r0")});
  EXPECT_THAT(texts(packages),
              ElementsAre("jq 1.7-r0 https://mirror.example/main", "musl 1.2-r1 base", "zlib 1.3-r0 base"));
  ASSERT_THAT(packages, SizeIs(3));
  EXPECT_EQ(packages[0], chosen("jq", "1.7-r0"));
  EXPECT_EQ(packages[1].checksum, kChecksum);
  EXPECT_TRUE(packages[1].sha256.empty());
}

TEST_F(InstalledPackages, OfALongChecksumTheDatabaseHasTheFirstBytes) {
  ManifestPackage package = chosen("jq", "1.7-r0");
  package.checksum = "Q2" + core::to_base64(std::vector<std::uint8_t>(32, 0));
  const auto packages = installed_packages(tar({{"lib/apk/db/installed", kDatabase}}), {package});
  ASSERT_THAT(packages, SizeIs(3));
  EXPECT_EQ(packages[0], package);
  package.checksum = "Q2" + core::to_base64(std::vector<std::uint8_t>(32, 1));
  EXPECT_TRUE(installed_packages(tar({{"lib/apk/db/installed", kDatabase}}), {package})[0].from_base);
}

TEST_F(InstalledPackages, TheDatabaseIsFoundThroughLinksAndBelowUsr) {
  EXPECT_THAT(installed_packages(tar({{"lib", "->usr/lib"}, {"usr/lib/apk/db/installed", kDatabase}}), {}),
              SizeIs(3));
  EXPECT_THAT(installed_packages(tar({{"lib/x", "y"}, {"usr/lib/apk/db/installed", kDatabase}}), {}),
              SizeIs(3));
}

TEST_F(InstalledPackages, WhatIsNotInstalledAnyMoreIsNotListed) {
  const auto packages = installed_packages(tar({{"lib/apk/db/installed", kDatabase}}),
                                           {chosen("jq", "1.6-r9"), chosen("gone", "1-r0")});
  EXPECT_THAT(texts(packages), ElementsAre("jq 1.7-r0 base", "musl 1.2-r1 base", "zlib 1.3-r0 base"));
}

TEST_F(InstalledPackages, WithoutDatabaseNothingIsAdded) {
  EXPECT_THAT(installed_packages(tar({{"bin/sh", "x"}}), {}), IsEmpty());
  EXPECT_THAT(installed_packages(tar({{"bin/sh", "x"}}), {chosen("jq", "1.7-r0")}), SizeIs(1));
}

TEST_F(InstalledPackages, ADatabaseThatIsNoneIsRefused) {
  EXPECT_THROW(installed_packages(tar({{"lib/apk/db/installed", "rubbish\n"}}), {}), core::Error);
  EXPECT_THROW(installed_packages(tar({{"lib/apk/db/installed", record("a", "1") + record("a", "1")}}), {}),
               core::Error);
}

}  // namespace
}  // namespace imgforge::stages
