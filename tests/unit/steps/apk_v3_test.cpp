// Repositories of apk 3 in a build: refused where the base's apk is older, else given to it as they are. The
// sandbox is none: what its apk is told to do is looked at.
#include "builder/fetch/apk/apk_identity.hpp"
#include "support/apk_v3_maker.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::steps {
namespace {

using imgforge::testing::ApkV3Key;
using imgforge::testing::V3Info;
using imgforge::testing::V3Package;
using ::testing::HasSubstr;
using ::testing::Not;

class Apk3 : public testing::StepsLab {
 protected:
  Apk3() { recipe_ = testing::small_recipe(mirror_.url()); }

  /// A base with that apk, and a repository "main" of apk 3 with a package.
  void put(const std::string& apk_version) {
    static const ApkV3Key key(ApkV3Key::Type::kEcdsa, "three.pub");
    const std::string installed =
        "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:apk-tools\nV:" + apk_version + "\nA:x86_64\n\n";
    mirror_.put_base("welcome\n",
                     {{"lib/apk/db/installed", installed}, {"etc/apk/keys/three.pub", key.pem()}});
    const V3Package package;
    const std::string bytes = package.bytes();
    testing::spill(mirror_.path("v3.22/main/x86_64/hello-1.0-r0.apk"), bytes);
    V3Info info = package.info;
    info.identity = package.identity();
    info.size = bytes.size();
    testing::spill(mirror_.path("v3.22/main/x86_64/APKINDEX.tar.gz"),
                   imgforge::testing::v3_index(imgforge::testing::v3_index_database({info}), {&key}));
    script_.apk_output = "(1/1) Installing hello (1.0-r0)\nOK\n";
  }
  testing::SmallAlpine mirror_;
};

TEST_F(Apk3, ItsRepositoriesAreRefusedWhereTheBaseIsOlder) {
  put("2.14.6-r3");
  const core::Error error = testing::error_of([&] { run(); });
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_THAT(error.message(),
              HasSubstr("the index of main is one of apk 3, and the base has apk-tools 2.14.6-r3"));
  EXPECT_EQ(script_.count("run"), 0) << "before a sandbox is started";
}

TEST_F(Apk3, ItsRepositoriesAreGivenAsTheyAre) {
  put("3.0.1-r0");
  std::string told;
  script_.on_run = [&](std::string_view script) {
    told += script;
    return guest::ScriptResult{.exit_code = 0, .output = script_.apk_output};
  };
  // As apk 3 writes it: 20 bytes of the checksum.
  const core::Digest identity = fetch::identity_of_bytes(V3Package{}.identity());
  script_.before_export = [&](const testing::fs::path& root) {
    std::ofstream(root / "lib/apk/db/installed")
        << "C:" << fetch::installed_identity_text(identity) << "\nP:hello\nV:1.0-r0\nA:x86_64\nf:S\n\n";
  };
  const ProfileOutcome outcome = run();
  EXPECT_THAT(told, Not(HasSubstr("mkndx")));
  ASSERT_FALSE(outcome.manifest.packages.empty());
  const auto hello = std::find_if(outcome.manifest.packages.begin(), outcome.manifest.packages.end(),
                                  [](const auto& row) { return row.name == "hello"; });
  ASSERT_NE(hello, outcome.manifest.packages.end());
  EXPECT_EQ(hello->checksum, fetch::identity_text(identity));
  EXPECT_FALSE(hello->from_base);
}

}  // namespace
}  // namespace imgforge::steps
