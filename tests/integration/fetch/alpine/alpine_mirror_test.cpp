// The whole way against a mirror of real Alpine files: base, keys, indexes, packages; then the same with the
// server's faults.
#include <gtest/gtest.h>

#include "builder/fetch/alpine/alpine_base.hpp"
#include "builder/fetch/apk/repository/apk_packages.hpp"
#include "builder/fetch/apk/repository/base_contents.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::fetch {
namespace {

using testing::AlpineMirror;
using testing::error_of;
using testing::FetchLab;

class AlpineMirrorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!testing::mirror_material().empty()) mirror_ = std::make_unique<AlpineMirror>();
  }
  static void TearDownTestSuite() { mirror_.reset(); }
  void SetUp() override {
    if (!mirror_) GTEST_SKIP() << "the offline Alpine material (IMGFORGE_TEST_ALPINE) is not there";
  }

  static BaseRequest base_request(const std::string& prefix = "") {
    return {.release = "3.19", .arch = "x86_64", .mirrors = {mirror_->url(prefix)}, .pin = {}, .lock = {}};
  }
  static PublicKeys keys(FetchLab& lab) {
    PublicKeys keys = read_base(fetch_base(lab.context, find_base(lab.context, base_request()))).keys;
    add_key_files(keys, {mirror_->key()});
    return keys;
  }
  static std::vector<Repository> repositories(FetchLab& lab, const PublicKeys& keys,
                                              const std::string& prefix = "") {
    return load_repositories(lab.context, {"main", "community"}, {mirror_->url(prefix)}, "v3.19", "x86_64",
                             keys);
  }
  static std::vector<PackageChoice> everything(const std::vector<Repository>& repositories) {
    std::vector<PackageChoice> choices;
    for (const Repository& repository : repositories) {
      for (const IndexEntry& entry : repository.index.entries())
        choices.push_back({entry.name, entry.version});
    }
    return choices;
  }
  static PublicKeys mirror_keys() {
    PublicKeys keys;
    add_key_files(keys, {mirror_->key()});
    return keys;
  }

  static std::unique_ptr<AlpineMirror> mirror_;
};

std::unique_ptr<AlpineMirror> AlpineMirrorTest::mirror_;

TEST_F(AlpineMirrorTest, EveryPackageAndThenNothingButConditionalRequests) {
  FetchLab lab;
  const PublicKeys trusted = keys(lab);
  EXPECT_EQ(trusted.size(), 6u);
  const std::vector<Repository> first = repositories(lab, trusted);
  EXPECT_EQ(first[0].index.signer().key_name, "imgforge-test.rsa.pub");
  const std::vector<PackageChoice> choices = everything(first);
  EXPECT_GT(choices.size(), 120u);
  const std::vector<FetchedPackage> packages = fetch_packages(lab.context, choices, first);
  ASSERT_EQ(packages.size(), choices.size());
  for (std::size_t i = 0; i < packages.size(); ++i) {
    EXPECT_EQ(packages[i].entry.name, choices[i].name);
    EXPECT_EQ(packages[i].file.size(), packages[i].entry.size);
  }
  EXPECT_EQ(lab.leftovers(), 0u);

  const std::size_t before = mirror_->requests();
  const std::vector<Repository> second = repositories(lab, keys(lab));
  fetch_packages(lab.context, choices, second);
  EXPECT_EQ(mirror_->requests(), before + 3) << "the release file and two indexes";
  const std::string log = mirror_->log_text();
  EXPECT_NE(log.substr(log.rfind("\n{")).find("\"status\": 304"), std::string::npos)
      << log.substr(log.rfind("\n{"));

  lab.context.network = Network::kOffline;
  EXPECT_EQ(fetch_packages(lab.context, choices, repositories(lab, keys(lab))).size(), choices.size());
  EXPECT_EQ(mirror_->requests(), before + 3);
}

TEST_F(AlpineMirrorTest, RealIndexesOfAlpine) {
  FetchLab lab;
  const PublicKeys trusted = read_base(fetch_base(lab.context, find_base(lab.context, base_request()))).keys;
  const std::filesystem::path folder = testing::mirror_material() / "data" / "index";
  const auto load = [&](const char* name) {
    return load_index(core::read_text_file(folder / name, 64 << 20), trusted, "x86_64", name);
  };
  EXPECT_EQ(load("v3.19-main.APKINDEX.tar.gz").entries().size(), 5443u);
  EXPECT_EQ(load("v3.19-community.APKINDEX.tar.gz").entries().size(), 17587u);
}

TEST_F(AlpineMirrorTest, WithoutItsKeyTheIndexIsRefused) {
  FetchLab lab;
  const PublicKeys alpine = read_base(fetch_base(lab.context, find_base(lab.context, base_request()))).keys;
  const core::Error error = error_of([&] { repositories(lab, alpine); });
  EXPECT_EQ(error.kind(), core::Kind::kSignature);
  EXPECT_NE(error.message().find("repository main"), std::string::npos) << error.message();
  EXPECT_NE(error.message().find(mirror_->url("/v3.19/main")), std::string::npos) << error.message();
}

TEST_F(AlpineMirrorTest, FaultyMirrorsOfTheBase) {
  const std::vector<std::pair<std::string, core::Kind>> faults{{"/fault/truncate=500", core::Kind::kFetch},
                                                               {"/fault/reset=500", core::Kind::kFetch},
                                                               {"/fault/stall=500", core::Kind::kFetch},
                                                               {"/fault/status=503", core::Kind::kFetch},
                                                               {"/fault/redirect=loop", core::Kind::kFetch}};
  for (const auto& [fault, kind] : faults) {
    FetchLab lab;
    EXPECT_EQ(error_of([&] { find_base(lab.context, base_request(fault)); }).kind(), kind) << fault;
  }
  FetchLab lab;
  BaseSource source = find_base(lab.context, base_request());
  const std::string good = source.urls[0];
  const std::string path = good.substr(mirror_->url().size());
  for (const auto& [fault, kind] : {std::pair{"/fault/corrupt=1000000", core::Kind::kIntegrity},
                                    std::pair{"/fault/badlength=5", core::Kind::kIntegrity}}) {
    source.urls = {mirror_->url(fault + path)};
    const core::Error error = error_of([&] { fetch_base(lab.context, source); });
    EXPECT_EQ(error.kind(), kind) << fault << error.message();
    EXPECT_NE(error.message().find(fault), std::string::npos) << "the mirror is named: " << error.message();
    EXPECT_EQ(lab.stored() + lab.leftovers(), 0u) << fault;
  }
  source.urls = {mirror_->url("/fault/corrupt=1000000" + path), mirror_->url("/fault/chunked" + path)};
  fetch_base(lab.context, source);
  EXPECT_EQ(lab.progress.warnings.size(), 1u);
  // A server that cuts each answer only costs more of them: the download goes on where it was cut.
  FetchLab cut;
  source.urls = {mirror_->url("/fault/truncate=1000000" + path)};
  EXPECT_EQ(fetch_base(cut.context, source).size(), fetch_base(lab.context, source).size());
}

TEST_F(AlpineMirrorTest, FaultyMirrorsOfPackages) {
  FetchLab lab;
  const PublicKeys trusted = mirror_keys();
  const std::vector<PackageChoice> choice{{"jq", "1.7.1-r0"}};
  std::vector<Repository> good = repositories(lab, trusted);
  const std::size_t kept = lab.stored();
  const auto with = [&](const std::string& fault) {
    std::vector<Repository> bad = good;
    bad[0].urls = {mirror_->url(fault + "/v3.19/main")};
    const core::Error error = error_of([&] { fetch_packages(lab.context, choice, bad); });
    EXPECT_NE(error.message().find("jq-1.7.1-r0"), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(mirror_->url(fault)), std::string::npos) << error.message();
    EXPECT_EQ(lab.stored(), kept) << fault;
    EXPECT_EQ(lab.leftovers(), 0u) << fault;
    return error;
  };
  const core::Error gone = with("/fault/status=404");
  EXPECT_EQ(gone.kind(), core::Kind::kFetch);
  EXPECT_NE(gone.message().find("the index " + good[0].index_url + " names it"), std::string::npos)
      << gone.message();
  EXPECT_NE(gone.hint().find("the mirror is being synchronised"), std::string::npos) << gone.hint();
  EXPECT_EQ(with("/fault/corrupt=-1000").kind(), core::Kind::kIntegrity)
      << "the gzip check sum sees it first";
  EXPECT_EQ(with("/fault/badlength=1").kind(), core::Kind::kIntegrity);
  std::vector<Repository> two = good;
  two[0].urls = {mirror_->url("/fault/corrupt=-1000/v3.19/main"), mirror_->url("/v3.19/main")};
  const FetchedPackage fetched = fetch_packages(lab.context, choice, two).at(0);
  EXPECT_EQ(lab.progress.warnings.size(), 1u);
  PackageChoice locked = choice[0];
  locked.sha256 = fetched.file.digest();
  fetch_packages(lab.context, {locked}, good);
  locked.sha256 = core::digest_of(core::HashAlgorithm::kSha256, "other");
  EXPECT_EQ(error_of([&] { fetch_packages(lab.context, {locked}, good); }).kind(), core::Kind::kIntegrity);
  EXPECT_EQ(error_of([&] { fetch_packages(lab.context, {{"jq", "9"}}, good); }).kind(), core::Kind::kPackage);
  FetchLab other;
  std::vector<Repository> cut = repositories(other, trusted);
  cut[0].urls = {mirror_->url("/fault/truncate=2000/v3.19/main")};
  EXPECT_EQ(fetch_packages(other.context, choice, cut).at(0).file.digest(), fetched.file.digest())
      << "a cut answer is gone on with";
}

TEST_F(AlpineMirrorTest, FaultyMirrorsOfIndexes) {
  const PublicKeys trusted = mirror_keys();
  for (const auto& [fault, kinds] :
       {std::pair{"/fault/corrupt=3000", "E_SIGNATURE E_PACKAGE"},
        std::pair{"/fault/truncate=2000", "E_FETCH"}, std::pair{"/fault/status=500", "E_FETCH"}}) {
    FetchLab lab;
    const core::Error error = error_of([&] { repositories(lab, trusted, fault); });
    EXPECT_NE(std::string_view(kinds).find(core::kind_name(error.kind())), std::string_view::npos)
        << error.message();
    EXPECT_NE(error.message().find(fault), std::string::npos) << error.message();
    EXPECT_TRUE(std::filesystem::is_empty(lab.context.cache / "http")) << "nothing bad is kept";
    EXPECT_EQ(repositories(lab, trusted).size(), 2u);
  }
}

}  // namespace
}  // namespace imgforge::fetch
