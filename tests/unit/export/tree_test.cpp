// Exports of real stores: what is taken, what is refused, and that nobody sees half a tree.
#include "builder/export/tree.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "builder/export/choose.hpp"
#include "builder/export/target.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::exports {
namespace {

namespace fs = std::filesystem;
using artifacts::Store;
using artifacts::Version;
using artifacts::testing_support::toy_check;
using artifacts::testing_support::toy_signature;
using testing::ElementsAre;
using testing::HasSubstr;

class TreeTest : public artifacts::testing_support::StoreTest {
 protected:
  fs::path web_ = folder_ / "web";

  ExportRequest request() const {
    ExportRequest made;
    made.target = web_;
    made.title = "Images";
    made.verify = [](std::string_view data, const artifacts::Signatures& signatures) {
      return SignedBy{toy_check(data, signatures), "RWtoy"};
    };
    made.signer = artifacts::testing_support::toy_signer();
    return made;
  }
  ExportResult run(const ExportRequest& made) const {
    return export_tree(Store::open(out_), made, core::no_progress());
  }
  /// Publishes with the time of that day, as choose_releases goes by it.
  void publish_on(const std::string& date) {
    auto made = artifacts::testing_support::request_for(folder_.path(), "content of " + date, date);
    made.finalise = [date](artifacts::Manifest& manifest) {
      auto documents = artifacts::testing_support::finalise(manifest);
      manifest.created = date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6) + "T01:02:03Z";
      return documents;
    };
    Store::create(out_).publish(made);
  }
  static std::map<std::string, std::string> contents(const fs::path& root) {
    std::map<std::string, std::string> rows;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
      if (entry.is_regular_file())
        rows[entry.path().lexically_relative(root)] = core::read_text_file(entry.path(), 1 << 24);
    }
    return rows;
  }
  std::vector<std::string> versions() const {
    std::vector<std::string> found;
    for (const Candidate& row : choose_releases(Store::open(out_), 0)) found.push_back(row.version);
    return found;
  }
};

TEST_F(TreeTest, WritesEveryFileAndItsSum) {
  publish_on("20261119");
  publish_on("20261120");
  const ExportResult result = run(request());
  const auto files = contents(web_);
  EXPECT_EQ(result.files, files.size());
  for (const char* name : {"SHA256SUMS", "SHA256SUMS.minisig", "index", "index.html", "latest-releases.yaml",
                           "streams/v1/index.json", "streams/v1/images.json", "signing-key.pub"})
    EXPECT_TRUE(files.contains(name)) << name;
  EXPECT_FALSE(files.contains("index.asc"));
  for (const auto& [name, content] : files) {
    const std::string row = artifacts::testing_support::sha256_of(content).hex() + "  " + name + "\n";
    const bool is_signature = name.ends_with(".minisig") || name == "SHA256SUMS" || name == kMarkerFile;
    EXPECT_EQ(files.at("SHA256SUMS").find(row) != std::string::npos, !is_signature) << name;
  }
  EXPECT_EQ(files.at("SHA256SUMS.minisig"), toy_signature(files.at("SHA256SUMS")));
}

TEST_F(TreeTest, EqualStoresGiveEqualTrees) {
  publish_on("20261119");
  publish_on("20261120");
  run(request());
  const auto before = contents(web_);
  run(request());
  EXPECT_EQ(contents(web_), before);
  ExportRequest copying = request();
  copying.link = LinkMode::kCopy;
  copying.target = folder_ / "other";
  const ExportResult result = run(copying);
  EXPECT_EQ(contents(copying.target), before);
  EXPECT_EQ(result.links.shared + result.links.linked, 0U);
}

TEST_F(TreeTest, NothingIsLeftBesideTheTarget) {
  publish_on("20261120");
  run(request());
  run(request());
  EXPECT_FALSE(fs::exists(folder_ / ".web.export"));
}

TEST_F(TreeTest, TakesTheCurrentReleaseAndThoseBeforeIt) {
  for (const char* day : {"20261118", "20261119", "20261120"}) publish_on(day);
  EXPECT_THAT(versions(), ElementsAre("v20261120", "v20261119", "v20261118"));
  Store::open(out_).promote("hello-minimal", *Version::parse("v20261119"),
                            artifacts::testing_support::trusting());
  EXPECT_THAT(versions(), ElementsAre("v20261119", "v20261118"));
  ExportRequest made = request();
  made.keep_last = 1;
  run(made);
  EXPECT_TRUE(fs::exists(web_ / "releases/hello-minimal/v20261119"));
  EXPECT_FALSE(fs::exists(web_ / "releases/hello-minimal/v20261118"));
}

TEST_F(TreeTest, UnsignedReleasesNeedAFlag) {
  publish_on("20261119");
  auto bare = artifacts::testing_support::request_for(folder_.path(), "bare", "20261120");
  bare.signer = {};
  bare.name = "bare";
  Store::create(out_).publish(bare);
  EXPECT_THAT(run(request()).left_out, ElementsAre("bare-minimal v20261120"));
  EXPECT_FALSE(fs::exists(web_ / "releases/bare-minimal"));
  ExportRequest made = request();
  made.unsigned_releases = Unsigned::kInclude;
  EXPECT_EQ(run(made).catalogue.lines.front().releases.front().signer, "");
  EXPECT_TRUE(fs::exists(web_ / "releases/bare-minimal/v20261120/SHA256SUMS"));
}

/// Exports, then once more in a way that must fail and change nothing.
#define EXPECT_REFUSED(made, kind_wanted)                      \
  do {                                                         \
    const auto before = contents(web_);                        \
    try {                                                      \
      run(made);                                               \
      ADD_FAILURE() << "was not refused";                      \
    } catch (const core::Error& error) {                       \
      EXPECT_EQ(error.kind(), kind_wanted) << error.message(); \
    }                                                          \
    EXPECT_EQ(contents(web_), before);                         \
    EXPECT_FALSE(fs::exists(folder_ / ".web.export"));         \
  } while (false)

TEST_F(TreeTest, ADamagedReleaseLeavesTheOldTree) {
  publish_on("20261119");
  run(request());
  publish_on("20261120");
  const fs::path image = release("v20261120") / "hello-minimal-v20261120.qcow2";
  std::string content = core::read_text_file(image, 1 << 24);
  content[100] ^= 1;
  artifacts::testing_support::write(image, content);
  EXPECT_REFUSED(request(), core::Kind::kIntegrity);
}

TEST_F(TreeTest, AForeignSignatureLeavesTheOldTree) {
  publish_on("20261119");
  run(request());
  publish_on("20261120");
  artifacts::testing_support::write(release("v20261120") / "manifest.json.minisig", "toy 00\n");
  EXPECT_REFUSED(request(), core::Kind::kSignature);
}

TEST_F(TreeTest, CancellingLeavesTheOldTree) {
  publish_on("20261120");
  run(request());
  ExportRequest made = request();
  made.cancel.cancel();
  EXPECT_REFUSED(made, core::Kind::kInterrupted);
}

TEST_F(TreeTest, FilesOfOthersAreNotReplaced) {
  publish_on("20261120");
  fs::create_directory(web_);
  artifacts::testing_support::write(web_ / "thesis.txt", "years of work");
  EXPECT_REFUSED(request(), core::Kind::kStore);
  fs::remove(web_ / "thesis.txt");
  run(request());
  artifacts::testing_support::write(web_ / "robots.txt", "Disallow: /");
  EXPECT_REFUSED(request(), core::Kind::kStore);
}

TEST_F(TreeTest, TheStoreIsNoTarget) {
  publish_on("20261120");
  for (const fs::path& target : {out_, out_ / "web", folder_.path()}) {
    ExportRequest made = request();
    made.target = target;
    EXPECT_THROW(run(made), core::Error) << target;
  }
  EXPECT_FALSE(fs::exists(out_ / "web"));
}

TEST_F(TreeTest, AKilledRunIsClearedAway) {
  publish_on("20261120");
  const fs::path left = folder_ / ".web.export/tree.999999999.0123456789ab";
  fs::create_directories(left / "tree/releases");
  artifacts::testing_support::write(left / ".owner", "");
  run(request());
  EXPECT_FALSE(fs::exists(folder_ / ".web.export"));
}

TEST_F(TreeTest, AFolderThatIsOpenKeepsItsFiles) {
  publish_on("20261119");
  run(request());
  const core::Fd old = core::open_file(web_ / "index", O_RDONLY);
  publish_on("20261120");
  run(request());
  std::vector<std::byte> buffer(1 << 16);
  const std::size_t n = core::read_some(old.get(), buffer, "index");
  EXPECT_THAT(std::string(reinterpret_cast<const char*>(buffer.data()), n), HasSubstr("v20261119"));
}

TEST_F(TreeTest, ALinkToTheFolderStays) {
  publish_on("20261120");
  fs::create_directory(folder_ / "real");
  fs::create_directory_symlink("real", web_);
  run(request());
  EXPECT_TRUE(fs::is_symlink(web_));
  EXPECT_TRUE(fs::exists(folder_ / "real/index.html"));
}

}  // namespace
}  // namespace imgforge::exports
