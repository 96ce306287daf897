#include <gtest/gtest.h>

#include "builder/fetch/alpine/alpine_base.hpp"
#include "builder/fetch/alpine/alpine_releases.hpp"
#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/fetch/apk/repository/base_contents.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"
#include "support/source_dir.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;

core::Digest sha256(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}
core::Digest sha512(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha512, text);
}

std::string release_file(const std::string& version, const std::string& content) {
  const std::string branch = "v" + version.substr(0, version.rfind('.'));
  return "---\n-\n  title: \"Virtual\"\n  desc: |\n    Slimmed down kernel.\n  branch: " + branch +
         "\n  arch: x86_64\n  flavor: alpine-virt\n  file: x.iso\n-\n  title: \"Mini root filesystem\"\n  "
         "branch: " +
         branch + "\n  arch: x86_64\n  version: " + version +
         "\n  flavor: alpine-minirootfs\n  file: alpine-minirootfs-" + version +
         "-x86_64.tar.gz\n  size: " + std::to_string(content.size()) +
         "\n  sha256: " + sha256(content).hex() + "\n  sha512: " + sha512(content).hex() + "\n";
}

/// Of edge, whose versions are days.
std::string edge_release_file(const std::string& day, const std::string& content) {
  std::string text = release_file(day, content);
  const std::string branch = "branch: v" + day;
  while (text.find(branch) != std::string::npos)
    text.replace(text.find(branch), branch.size(), "branch: edge");
  return text;
}

TEST(ReleaseName, BranchesAndVersions) {
  EXPECT_EQ(ReleaseName::parse("3.22").folder, "v3.22");
  EXPECT_EQ(ReleaseName::parse("3.22").version, "");
  EXPECT_EQ(ReleaseName::parse("v3.22.2").version, "3.22.2");
  EXPECT_EQ(ReleaseName::parse("3.22.0_rc1").folder, "v3.22");
  EXPECT_EQ(ReleaseName::parse("edge").folder, "edge");
  EXPECT_EQ(ReleaseName::parse("20240923").folder, "edge");
  EXPECT_EQ(ReleaseName::parse("20240923").version, "20240923");
  EXPECT_EQ(ReleaseName::parse("latest-stable").folder, "latest-stable");
  for (const char* bad : {"", "3", "vedge", "3.22.2/..", "../3.22", "3.22 ", "3.22.2-rc1", "latest",
                          "19991231", "2024092", "v20240923"}) {
    EXPECT_EQ(error_of([&] { ReleaseName::parse(bad); }).kind(), core::Kind::kRecipe) << bad;
  }
}

TEST(Releases, ChoosesTheMiniRootFileSystem) {
  const Release release = parse_releases(release_file("3.22.2", "abc"), "source", ReleaseName::parse("3.22"),
                                         kMiniRootFs, "x86_64");
  EXPECT_EQ(release.version, "3.22.2");
  EXPECT_EQ(release.branch, "v3.22");
  EXPECT_EQ(release.file, "alpine-minirootfs-3.22.2-x86_64.tar.gz");
  EXPECT_EQ(release.size, 3u);
  EXPECT_EQ(release.sha256, sha256("abc"));
  EXPECT_EQ(release.sha512, sha512("abc"));
}

TEST(Releases, AnIsoImageIsAnotherFlavor) {
  std::string text = release_file("3.22.2", "abc");
  text += text.substr(4);
  text.replace(text.rfind("alpine-minirootfs-3.22.2-x86_64.tar.gz"), 38, "alpine-standard-3.22.2-x86_64.iso");
  text.replace(text.rfind("flavor: alpine-minirootfs"), 25, "flavor: alpine-standard");
  const auto parse = [&](std::string_view flavor) {
    return parse_releases(text, "source", ReleaseName::parse("3.22"), flavor, "x86_64");
  };
  EXPECT_EQ(parse("standard").file, "alpine-standard-3.22.2-x86_64.iso");
  EXPECT_EQ(parse(kMiniRootFs).file, "alpine-minirootfs-3.22.2-x86_64.tar.gz");
  const core::Error error = error_of([&] { parse("xen"); });
  EXPECT_EQ(error.kind(), core::Kind::kFetch);
  EXPECT_NE(error.hint().find("minirootfs, virt, standard"), std::string::npos) << error.hint();
  // The name of a minirootfs is no name for an ISO image.
  text.replace(text.rfind("alpine-standard-3.22.2-x86_64.iso"), 33, "alpine-standard-3.22.2-x86_64.tar.gz");
  EXPECT_EQ(error_of([&] { parse("standard"); }).kind(), core::Kind::kIntegrity);
}

TEST(Releases, WordsThatCanBeFlavors) {
  for (const char* good : {"virt", "minirootfs", "uboot", "netboot", "rpi", "xen", "a-b"})
    EXPECT_TRUE(is_flavor(good)) << good;
  for (const char* bad : {"", "Virt", "virt/../x", "-virt", "virt-", "vi rt", "virt\n", "1"})
    EXPECT_FALSE(is_flavor(bad)) << bad;
}

TEST(Releases, FieldsAreNotBelieved) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = release_file("3.22.2", "abc");
    const auto at = text.rfind(from);
    text.replace(at, from.size(), to);
    return error_of(
               [&] { parse_releases(text, "source", ReleaseName::parse("3.22"), kMiniRootFs, "x86_64"); })
        .kind();
  };
  EXPECT_EQ(with("file: alpine", "file: ../../alpine"), core::Kind::kIntegrity);
  EXPECT_EQ(with("file: alpine-minirootfs-3.22.2", "file: alpine-minirootfs-3.22.1"), core::Kind::kIntegrity);
  EXPECT_EQ(with("arch: x86_64", "arch: aarch64"), core::Kind::kIntegrity);
  EXPECT_EQ(with("branch: v3.22", "branch: v3.21"), core::Kind::kIntegrity);
  EXPECT_EQ(with("size: 3", "size: -3"), core::Kind::kIntegrity);
  EXPECT_EQ(with("size: 3", "size: 0"), core::Kind::kIntegrity);
  EXPECT_EQ(with("sha256: b", "sha256: "), core::Kind::kIntegrity);
  EXPECT_EQ(with("sha512: d", "sha512: g"), core::Kind::kIntegrity);
  EXPECT_EQ(with("flavor: alpine-minirootfs", "flavor: other"), core::Kind::kFetch);
  const auto whole = [](const std::string& text) {
    return error_of(
               [&] { parse_releases(text, "source", ReleaseName::parse("3.22"), kMiniRootFs, "x86_64"); })
        .kind();
  };
  for (const char* text : {"", "<html><body>log in</body></html>", "a: b", "- [", "- 1\n- 2\n"}) {
    EXPECT_EQ(whole(text), core::Kind::kFetch) << text;
  }
  EXPECT_EQ(whole(release_file("3.22.2", "abc") + release_file("3.22.2", "abc").substr(4)),
            core::Kind::kIntegrity);
}

TEST(ChecksumFile, OdditiesAndRefusals) {
  const std::string hex = sha256("x").hex();
  const auto parse = [](const std::string& text) {
    return parse_checksum_file(text, core::HashAlgorithm::kSha256, "f.tar.gz", "source");
  };
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const std::string& good : {hex + "  f.tar.gz\n", hex + " *f.tar.gz\r\n", upper + "  f.tar.gz",
                                  sha256("y").hex() + "  other\n" + hex + "  f.tar.gz\n"}) {
    EXPECT_EQ(parse(good), sha256("x")) << good;
  }
  for (const std::string& bad :
       {std::string(), hex, hex + "  other\n", hex.substr(1) + "  f.tar.gz\n", hex + "  ../f.tar.gz\n",
        hex + "  f.tar.gz\n" + sha256("y").hex() + "  f.tar.gz\n", std::string("<html>\n")}) {
    EXPECT_EQ(error_of([&] { parse(bad); }).kind(), core::Kind::kIntegrity) << bad;
  }
}

class BaseTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.put(folder_ + "latest-releases.yaml", release_file("3.22.2", "newest"));
    server_.put(folder_ + "alpine-minirootfs-3.22.2-x86_64.tar.gz", "newest");
    server_.put(folder_ + "alpine-minirootfs-3.22.1-x86_64.tar.gz", "older");
    server_.put(folder_ + "alpine-minirootfs-3.22.1-x86_64.tar.gz.sha256",
                sha256("older").hex() + "  alpine-minirootfs-3.22.1-x86_64.tar.gz\n");
  }
  BaseRequest request(const std::string& release) {
    return {.release = release, .arch = "x86_64", .mirrors = {server_.url("")}, .pin = {}, .lock = {}};
  }
  std::string content(const BaseRequest& wanted) {
    return core::read_text_file(fetch_base(lab_.context, find_base(lab_.context, wanted)).path());
  }

  const std::string folder_ = "v3.22/releases/x86_64/";
  testing::FaultServer server_;
  testing::FetchLab lab_;
};

TEST_F(BaseTest, TheNewestOfABranchAndExactVersions) {
  EXPECT_EQ(content(request("3.22")), "newest");
  EXPECT_EQ(content(request("3.22.2")), "newest");
  EXPECT_EQ(content(request("3.22.1")), "older");
  EXPECT_EQ(find_base(lab_.context, request("3.22.1")).branch, "v3.22");
  const std::size_t before = server_.requests().size();
  EXPECT_EQ(content(request("3.22")), "newest");
  EXPECT_EQ(server_.requests().size(), before + 1) << "only the release file is asked for again";
  EXPECT_NE(server_.requests().back().find("conditional"), std::string::npos);
  EXPECT_EQ(error_of([&] { content(request("3.22.9")); }).kind(), core::Kind::kFetch);
  EXPECT_EQ(error_of([&] { content(request("3.21")); }).kind(), core::Kind::kFetch);
}

TEST_F(BaseTest, RollingBranchesKeepTheirFolders) {
  server_.put("latest-stable/releases/x86_64/latest-releases.yaml", release_file("3.22.2", "newest"));
  const BaseSource stable = find_base(lab_.context, request("latest-stable"));
  EXPECT_EQ(stable.branch, "v3.22");
  EXPECT_EQ(stable.urls.at(0), server_.url("/" + folder_ + "alpine-minirootfs-3.22.2-x86_64.tar.gz"));
  server_.put("edge/releases/x86_64/latest-releases.yaml", edge_release_file("20251016", "rolling"));
  server_.put("edge/releases/x86_64/alpine-minirootfs-20251016-x86_64.tar.gz", "rolling");
  EXPECT_EQ(content(request("edge")), "rolling");
  EXPECT_EQ(content(request("20251016")), "rolling") << "the newest snapshot by its name";
  EXPECT_EQ(find_base(lab_.context, request("20251016")).branch, "edge");
  server_.put("edge/releases/x86_64/alpine-minirootfs-20250101-x86_64.tar.gz", "before");
  server_.put("edge/releases/x86_64/alpine-minirootfs-20250101-x86_64.tar.gz.sha256",
              sha256("before").hex() + "  alpine-minirootfs-20250101-x86_64.tar.gz\n");
  EXPECT_EQ(content(request("20250101")), "before") << "one that the mirror still has";
}

TEST_F(BaseTest, ARealSnapshotOfEdgeIsABase) {
  const std::filesystem::path real = alpine_material().parent_path() / "real" / "minirootfs";
  const std::string name = "alpine-minirootfs-20240923-x86_64.tar.gz";
  if (!std::filesystem::exists(real / name)) GTEST_SKIP() << "the real files are missing: " << real;
  const std::string bytes = core::read_text_file(real / name, 16 << 20);
  server_.put("edge/releases/x86_64/" + name, bytes);
  server_.put("edge/releases/x86_64/latest-releases.yaml", edge_release_file("20240923", bytes));
  const BaseSource source = find_base(lab_.context, request("20240923"));
  EXPECT_EQ(source.title(), "alpine-minirootfs 20240923");
  EXPECT_EQ(source.branch, "edge");
  const BaseContents contents = read_base(fetch_base(lab_.context, source));
  EXPECT_EQ(contents.apk, "2.14.4-r3");
  EXPECT_EQ(contents.keys.size(), 5U);
  EXPECT_EQ(repository_urls("main", {"https://m/alpine"}, source.branch).front(),
            "https://m/alpine/edge/main");
}

TEST_F(BaseTest, AnExactPinNeedsNoReleaseFile) {
  BaseRequest pinned = request("3.22.2");
  pinned.pin = sha256("newest");
  EXPECT_EQ(content(pinned), "newest");
  EXPECT_EQ(server_.requests().size(), 1u);
  lab_.context.network = Network::kOffline;
  EXPECT_EQ(content(pinned), "newest");
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(BaseTest, TheRecipesPinBeatsTheReleaseFile) {
  for (const core::Digest& pin : {sha256("other"), sha512("other")}) {
    BaseRequest pinned = request("3.22");
    pinned.pin = pin;
    const core::Error error = error_of([&] { content(pinned); });
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
    EXPECT_NE(error.message().find(pin.to_string()), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("the recipe"), std::string::npos) << error.message();
    EXPECT_NE(
        error.message().find(pin.algorithm() == core::HashAlgorithm::kSha256 ? sha256("newest").to_string()
                                                                             : sha512("newest").to_string()),
        std::string::npos)
        << error.message();
    EXPECT_EQ(lab_.stored(), 0u);
    EXPECT_EQ(lab_.leftovers(), 0u);
  }
}

TEST_F(BaseTest, ALockIsFollowedUnlessThePinDiffers) {
  BaseRequest locked = request("3.22");
  locked.lock =
      BaseLock{.version = "3.22.1", .branch = "v3.22", .url = {}, .sha256 = sha256("older"), .size = 5};
  EXPECT_EQ(content(locked), "older");
  EXPECT_EQ(server_.requests().size(), 1u);
  locked.pin = sha256("newest");
  const core::Error error = error_of([&] { content(locked); });
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.message().find("the lock"), std::string::npos);
  locked.pin.reset();
  locked.lock->sha256 = sha256("gone");
  locked.lock->size.reset();
  EXPECT_NE(error_of([&] { content(locked); }).message().find("(from the lock)"), std::string::npos);
}

TEST_F(BaseTest, AnIsoImageOfAnOlderReleaseAndABadFlavor) {
  server_.put(folder_ + "alpine-virt-3.22.1-x86_64.iso", "image");
  server_.put(folder_ + "alpine-virt-3.22.1-x86_64.iso.sha256",
              sha256("image").hex() + "  alpine-virt-3.22.1-x86_64.iso\n");
  server_.put(folder_ + "latest-releases.yaml", release_file("3.22.2", "newest"));
  BaseRequest iso = request("3.22.1");
  iso.flavor = "virt";
  iso.pin = sha256("image");
  EXPECT_EQ(content(iso), "image");
  EXPECT_EQ(find_base(lab_.context, iso).title(), "alpine-virt 3.22.1");
  iso.pin = sha256("other image");
  EXPECT_EQ(error_of([&] { content(iso); }).kind(), core::Kind::kIntegrity);
  iso.flavor = "../virt";
  EXPECT_EQ(error_of([&] { content(iso); }).kind(), core::Kind::kRecipe);
}

TEST_F(BaseTest, MirrorsAreTriedInOrder) {
  BaseRequest many = request("3.22");
  many.mirrors = {"http://127.0.0.1:1", server_.url("/x/portal"), server_.url(""), "file:///nosuch"};
  const BaseSource source = find_base(lab_.context, many);
  EXPECT_EQ(source.urls.front().find(server_.url("/v3.22")), 0u) << "the mirror that answered comes first";
  EXPECT_EQ(source.urls.size(), 4u);
  EXPECT_EQ(content(many), "newest");
  many.mirrors = {"file://" + server_.root().native()};
  EXPECT_EQ(content(many), "newest");
  many.mirrors = {"http://127.0.0.1:1", server_.url("/x/portal")};
  EXPECT_EQ(error_of([&] { content(many); }).kind(), core::Kind::kFetch);
}

}  // namespace
}  // namespace imgforge::fetch
