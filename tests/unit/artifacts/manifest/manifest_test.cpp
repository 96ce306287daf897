// The manifest survives being written and read; everything that is not exactly it is refused.
#include <gmock/gmock.h>

#include "core/json.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using testing::HasSubstr;
using namespace testing_support;

Manifest sample() {
  Manifest manifest;
  manifest.name = "hello";
  manifest.profile = "minimal";
  manifest.version = "v20261120.3";
  const core::Digest sha512 = core::digest_of(core::HashAlgorithm::kSha512, "x");
  manifest.artifacts = {
      {"hello-minimal-v20261120.3.qcow2", "qcow2", 7, 1 << 30, sha256_of("x"), sha512, {{"a", "b"}}},
      {"hello-minimal-v20261120.3-usb.img", "usb", 9, 0, sha256_of("y"), sha512, {}}};
  finalise(manifest);
  manifest.documents = {{"sbom.spdx.json", 3, sha256_of("z"), sha512}};
  manifest.insecure = {"insecure-skip-base-signature"};
  manifest.boot_expect = {"login:"};
  return manifest;
}

void expect_refused(const Json& json, const std::string& says) {
  SCOPED_TRACE(says);
  try {
    parse_manifest(core::print_json(json));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kIntegrity);
    EXPECT_THAT(error.message(), HasSubstr(says));
  }
}

TEST(Manifest, SurvivesWritingAndReading) {
  const Manifest manifest = sample();
  const std::string text = print_manifest(manifest);
  EXPECT_EQ(parse_manifest(text), manifest);
  EXPECT_EQ(print_manifest(parse_manifest(text)), text);
  EXPECT_TRUE(text.starts_with("{\n  \"schema\": 1,\n  \"name\": \"hello\","));
}

TEST(Manifest, PackagesOfTheBaseHaveNoFileAndOthersHaveOne) {
  Manifest manifest = sample();
  ManifestPackage package;
  package.name = "busybox";
  package.version = "1.36-r0";
  package.arch = "x86_64";
  package.checksum = "Q1abc=";
  package.from_base = true;
  manifest.packages.push_back(package);
  const std::string text = print_manifest(manifest);
  EXPECT_EQ(parse_manifest(text), manifest);
  const Json good = Json::parse(text);
  EXPECT_EQ(good["packages"][1], (Json{{"name", "busybox"},
                                       {"version", "1.36-r0"},
                                       {"arch", "x86_64"},
                                       {"from", "base"},
                                       {"checksum", "Q1abc="}}));
  EXPECT_FALSE(good["packages"][0].contains("from")) << "as manifests always were";
  Json changed = good;
  changed["packages"][0]["licence"] = "";
  expect_refused(changed, "licence");
  changed = good;
  changed["packages"][1]["from"] = "elsewhere";
  expect_refused(changed, "from");
  changed = good;
  changed["packages"][1]["size"] = 1;
  expect_refused(changed, "size");
  changed = good;
  changed["packages"][0]["from"] = "base";
  expect_refused(changed, "packages[0]");
}

TEST(Manifest, EveryMemberIsNeededAndOfItsType) {
  const Json good = Json::parse(print_manifest(sample()));
  std::size_t checked = 0;
  // All members at all levels: removed, and replaced by something of another type.
  const std::function<void(const Json::json_pointer&)> visit = [&](const Json::json_pointer& at) {
    const Json& value = good.at(at);
    if (value.is_object()) {
      if (at.empty() || at.back() != "media") {
        for (const auto& [key, member] : value.items()) {
          Json without = good;
          without.at(at).erase(key);
          const bool may_be_absent = key == "licence" || key == "origin";  // of a package
          if (!may_be_absent || at.empty() || at.parent_pointer().back() != "packages")
            expect_refused(without, key);
          Json replaced = good;
          replaced.at(at)[key] = member.is_null() ? Json(1) : Json();
          expect_refused(replaced, key);
          ++checked;
          visit(at / key);
        }
      }
      Json unknown = good;
      unknown.at(at)["surprise"] = 1;
      expect_refused(unknown, "surprise");
    } else if (value.is_array() && !value.empty() && value[0].is_object()) {
      visit(at / std::size_t{0});
    }
  };
  visit(Json::json_pointer());
  EXPECT_GT(checked, 50U);
}

TEST(Manifest, RefusesBadNamesNumbersAndCounts) {
  const Json good = Json::parse(print_manifest(sample()));
  const auto with = [&](const char* pointer, const Json& value) {
    Json changed = good;
    changed[Json::json_pointer(pointer)] = value;
    return changed;
  };
  for (const char* file :
       {"../../etc/passwd", "/etc/passwd", ".hidden", "", "a/b", "-rf", "x\ny", "manifest.json"}) {
    expect_refused(with("/documents/0/file", file), "");
  }
  expect_refused(with("/documents/0/file", std::string("a\0b", 3)), "control character");
  expect_refused(with("/documents/0/file", "hello-minimal.qcow2"), "listed twice or reserved");
  expect_refused(with("/documents/0/file", "hello-minimal-v20261120.3.qcow2"), "listed twice");
  expect_refused(with("/artifacts/0/file", "hello-minimal-v20261120.4.qcow2"), "does not begin with");
  expect_refused(with("/artifacts/0/file", "hello-minimal-v20261120.34.qcow2"), "does not begin with");
  expect_refused(with("/artifacts/0/size", -1), "whole number");
  expect_refused(with("/artifacts/0/size", 1.5), "whole number");
  expect_refused(with("/artifacts/0/size", std::uint64_t{1} << 63), "out of range");
  expect_refused(with("/artifacts/0/sha256", "abc"), "");
  expect_refused(with("/artifacts/0/sha256", std::string(64, 'A')), "lower-case");
  expect_refused(with("/version", "../v1"), "version");
  expect_refused(with("/version", "v20261120.0"), "version");
  expect_refused(with("/version", "v20261120.03"), "version");
  expect_refused(with("/name", "a/b"), "name");
  expect_refused(with("/schema", 2), "newer than this imgforge");
  expect_refused(with("/schema", 0), "schema");
  expect_refused(with("/insecure", Json::array({1})), "not text");
  Json many = good;
  for (int i = 0; i < 1000; ++i) many["documents"].push_back(good["documents"][0]);
  expect_refused(many, "more than 200 rows");
}

TEST(Manifest, RefusesWhatIsNoJsonObject) {
  for (const char* text : {"", "[]", "1", "{", "{\"schema\":1,\"schema\":1}", "\xff"}) {
    EXPECT_THROW(parse_manifest(text), Error) << text;
  }
  EXPECT_THROW(parse_manifest(std::string(100000, '[')), Error);
  EXPECT_THROW(parse_manifest(std::string(kMaxManifestBytes + 1, ' ')), Error);
}

TEST(Manifest, IsNotWrittenWhenItCouldNotBeReadBack) {
  Manifest manifest = sample();
  manifest.recipe_sha256 = {};
  EXPECT_THROW(print_manifest(manifest), Error);
  manifest = sample();
  manifest.kernel_cmdline = "a\nb";
  EXPECT_THROW(print_manifest(manifest), Error);
  manifest = sample();
  manifest.accelerator_reason = "\xff";
  EXPECT_THROW(print_manifest(manifest), Error);
}

TEST(ManifestText, NamesTheIsolationWhereItIsKnown) {
  Manifest manifest = sample();
  manifest.isolation.clear();
  EXPECT_EQ(print_manifest(manifest).find("isolation"), std::string::npos);
  EXPECT_EQ(parse_manifest(print_manifest(manifest)), manifest);
  EXPECT_EQ(print_manifest(manifest).find("shared"), std::string::npos);
  manifest.shared_commands = {"restart: voice-service"};
  EXPECT_EQ(parse_manifest(print_manifest(manifest)).shared_commands, manifest.shared_commands);
  manifest.shared_commands->clear();
  EXPECT_TRUE(parse_manifest(print_manifest(manifest)).shared_commands);
  manifest.isolation = "namespaces";
  EXPECT_EQ(parse_manifest(print_manifest(manifest)).isolation, "namespaces");
}

TEST(ManifestText, SaysWhatTheKernelCanDoWhereItIsKnown) {
  Manifest manifest = sample();
  EXPECT_EQ(print_manifest(manifest).find("features"), std::string::npos);
  manifest.kernel_features = {{"9p", false}, {"balloon", true}, {"of-a-later-imgforge", true}};
  const std::string text = print_manifest(manifest);
  EXPECT_EQ(parse_manifest(text), manifest);
  EXPECT_EQ(parse_manifest_overview(text).kernel_release, manifest.kernel_release);
  for (const auto& [there, wrong] : std::multimap<std::string, std::string>{{"\"9p\": false", "\"9p\": 0"},
                                                                            {"\"9p\": false", "\"9p\": null"},
                                                                            {"\"9p\"", "\"../9p\""},
                                                                            {"\"9p\"", "\"balloon\""}}) {
    std::string other = text;
    ASSERT_NE(other.find(there), std::string::npos) << there;
    other.replace(other.find(there), there.size(), wrong);
    EXPECT_THROW(parse_manifest(other), Error) << wrong;
  }
  std::string empty = text;
  const std::size_t begin = empty.find('{', empty.find("features"));
  empty.replace(begin, empty.find('}', begin) - begin + 1, "{}");
  EXPECT_THROW(parse_manifest(empty), Error);
  manifest.kernel_features.clear();
  for (int i = 0; i < 101; ++i) manifest.kernel_features["f" + std::to_string(i)] = true;
  EXPECT_THROW(print_manifest(manifest), Error);
}

TEST(ManifestText, NamesTheKernelAndTheInitramfsTogether) {
  Manifest manifest = sample();
  EXPECT_EQ(print_manifest(manifest).find("initramfs_sha256"), std::string::npos);
  manifest.kernel_sha256 = core::digest_of(core::HashAlgorithm::kSha256, "kernel");
  manifest.initramfs_sha256 = core::digest_of(core::HashAlgorithm::kSha256, "initramfs");
  const std::string text = print_manifest(manifest);
  EXPECT_EQ(parse_manifest(text), manifest);
  std::string alone = text;
  const std::size_t begin = alone.find("\"initramfs_sha256\"");
  alone.replace(begin, std::string("\"initramfs_sha256\"").size(), "\"initramfs\"");
  EXPECT_THROW(parse_manifest(alone), Error);
}

TEST(Versions, OrderAsPeopleCount) {
  const std::vector<std::string> ordered{"1.4.2",     "1.4.9",       "1.4.10",       "1.10",     "1.a",
                                         "v20261120", "v20261120.2", "v20261120.10", "v20261121"};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j)
      EXPECT_EQ(*Version::parse(ordered[i]) < *Version::parse(ordered[j]), i < j)
          << ordered[i] << " " << ordered[j];
  }
  EXPECT_NE(*Version::parse("1.0"), *Version::parse("1.00"));
  EXPECT_NE(*Version::parse("1.0") <=> *Version::parse("1.00"), std::strong_ordering::equal);
}

TEST(Versions, ParseOnlyWhatTheyPrint) {
  for (const char* good : {"v20261120", "v20261120.1", "v20261120.10"})
    EXPECT_EQ(Version::parse(good)->to_string(), good);
  for (const char* chosen : {"1.4.2", "v2", "2026.11-rc1"}) {
    EXPECT_EQ(Version::parse(chosen)->to_string(), chosen);
    EXPECT_TRUE(Version::parse(chosen)->date.empty());
  }
  for (const char* bad : {"", "v20261120.", "v20261120.0", "v20261120.01", "v20261120.1x",
                          "v20261120.99999999999", "current", "v20261120-1", "../x", "-x", "a b"}) {
    EXPECT_FALSE(Version::parse(bad)) << bad;
  }
  EXPECT_LT(*Version::parse("v20261120.9"), *Version::parse("v20261120.10"));
  EXPECT_LT(*Version::parse("v20261120.9"), *Version::parse("v20261121"));
}

}  // namespace
}  // namespace imgforge::artifacts
