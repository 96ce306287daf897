// Repositories whose index is one of apk 3: where index and packages are looked for, and what a base says of
// its own apk.
#include <gtest/gtest.h>

#include <algorithm>

#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/fetch/apk/repository/base_contents.hpp"
#include "core/atomic_file.hpp"
#include "support/apk_maker.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::fetch {
namespace {

using testing::ApkV3Key;
using testing::error_of;
using testing::V3Info;
using testing::V3Package;

class V3Repository : public ::testing::Test {
 protected:
  static const ApkV3Key& key() {
    static const ApkV3Key made(ApkV3Key::Type::kEcdsa, "three.pem");
    return made;
  }
  /// The index of one package, which is for every architecture.
  std::string put_package() {
    V3Package package;
    package.info.arch = "noarch";
    const std::string bytes = package.bytes();
    server_.put("own/noarch/hello-1.0-r0.apk", bytes);
    V3Info info = package.info;
    info.identity = package.identity();
    info.size = bytes.size();
    return testing::v3_index(testing::v3_index_database({info}), {&key()});
  }
  std::vector<Repository> load(const std::vector<std::string>& entries) {
    return load_repositories(lab_.context, entries, {server_.url("")}, "own", "x86_64",
                             {{key().name(), key().pem()}});
  }
  std::ptrdiff_t asked(const std::string& name) const {
    const std::vector<std::string> requests = server_.requests();
    return std::count_if(requests.begin(), requests.end(),
                         [&](const std::string& request) { return request.find(name) != std::string::npos; });
  }
  testing::FaultServer server_;
  testing::FetchLab lab_;
};

TEST_F(V3Repository, HasItsIndexUnderEitherName) {
  const std::string index = put_package();
  server_.put("own/x86_64/Packages.adb", index);
  const std::string url = server_.url("/own");
  std::vector<Repository> repositories = load({url});
  EXPECT_EQ(repositories[0].index.format(), IndexFormat::kV3);
  EXPECT_EQ(repositories[0].index_url, url + "/x86_64/Packages.adb");
  EXPECT_EQ(repository_line(url, repositories[0].index_url), "v3 " + url);
  server_.put("own/x86_64/APKINDEX.tar.gz", index);
  repositories = load({url});
  EXPECT_EQ(repositories[0].index_url, url + "/x86_64/APKINDEX.tar.gz");
  EXPECT_EQ(repository_line(url, repositories[0].index_url), url);
  EXPECT_EQ(asked("Packages.adb"), 1) << "not when there is the other one";
}

TEST_F(V3Repository, OfTheMirrorsIsOnlyAskedForTheOldName) {
  server_.put("own/main/x86_64/Packages.adb", put_package());
  EXPECT_EQ(error_of([&] { load({"main"}); }).kind(), core::Kind::kFetch);
  EXPECT_EQ(asked("Packages.adb"), 0);
}

TEST_F(V3Repository, PackagesLieInTheFolderOfTheirOwnArchitecture) {
  server_.put("own/x86_64/Packages.adb", put_package());
  const std::vector<Repository> repositories = load({server_.url("/own")});
  const std::vector<FetchedPackage> packages =
      fetch_packages(lab_.context, {{"hello", "1.0-r0"}}, repositories);
  ASSERT_EQ(packages.size(), 1U);
  EXPECT_EQ(packages[0].url, server_.url("/own/noarch/hello-1.0-r0.apk"));
  EXPECT_EQ(package_folder(repositories[0], packages[0].entry), "noarch");
}

TEST_F(V3Repository, APackageThatIsAnotherIsRefused) {
  server_.put("own/x86_64/Packages.adb", put_package());
  const std::vector<Repository> repositories = load({server_.url("/own")});
  V3Package other;
  other.info.arch = "noarch";
  other.info.description = "a fake";  // as long as the right one
  server_.put("own/noarch/hello-1.0-r0.apk", other.bytes());
  EXPECT_EQ(error_of([&] {
              fetch_packages(lab_.context, {{"hello", "1.0-r0"}}, repositories);
            }).kind(),
            core::Kind::kIntegrity);
}

TEST(BaseContents, SayWhichApkThereIs) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-base");
  artifacts::BlobStore blobs(folder / "blobs");
  const auto apk_of = [&](const std::string& path, const std::string& installed) {
    const std::filesystem::path file = folder / "base.tar";
    core::write_file_atomically(
        file, testing::tar_of({{"bin/sh", "x"}, {path, installed}}, testing::TarEnd::kWhole));
    return read_base(blobs.adopt(file)).apk;
  };
  const std::string row = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:apk-tools\nV:3.0.1-r2\nA:x86_64\n\n";
  EXPECT_EQ(apk_of("lib/apk/db/installed", row), "3.0.1-r2");
  EXPECT_EQ(apk_of("usr/lib/apk/db/installed", row), "3.0.1-r2");
  EXPECT_EQ(apk_of("lib/apk/db/other", row), "");
  EXPECT_EQ(apk_of("lib/apk/db/installed", "nonsense"), "") << "then apk will have its say";
}

}  // namespace
}  // namespace imgforge::fetch
