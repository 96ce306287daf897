// Indexes of apk 3: what is read of them, by which keys they are trusted.
#include <gtest/gtest.h>

#include <filesystem>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "core/fd.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"
#include "support/source_dir.hpp"

namespace imgforge::fetch {
namespace {

namespace fs = std::filesystem;
using testing::AdbPacking;
using testing::ApkV3Key;
using testing::error_of;
using testing::v3_index;
using testing::v3_index_database;
using testing::V3Info;

const ApkV3Key& rsa_key() {
  static const ApkV3Key made(ApkV3Key::Type::kRsa, "one.rsa.pub");
  return made;
}
const ApkV3Key& curve_key() {
  static const ApkV3Key made(ApkV3Key::Type::kEcdsa, "two.pem");
  return made;
}

PublicKeys keys_of(const std::vector<const ApkV3Key*>& keys) {
  PublicKeys out;
  for (const ApkV3Key* key : keys) out[key->name()] = key->pem();
  return out;
}

V3Info full_info() {
  V3Info info;
  info.identity = std::string(32, '\x11');
  info.size = 1234;
  info.depends = {
      {"so:libc.so"},   {"other", "2.1", 4 | 1}, {"older", "3", 2},         {"near", "1.2", 8 | 1},
      {"exactly", "4"}, {"enemy", "", 16},       {"old-enemy", "5", 16 | 2}};
  info.provides = {{"cmd:hello", "1.0-r0"}};
  info.replaces = {{"hello-old"}};
  info.install_if = {{"docs"}, {"hello", "1.0-r0"}};
  return info;
}

TEST(ApkV3Index, HasWhatThatOfApk2Has) {
  const std::string bytes = v3_index(v3_index_database({full_info()}), {&rsa_key()});
  const Index index = load_index(bytes, keys_of({&rsa_key()}), "x86_64", "m/Packages.adb");
  EXPECT_EQ(index.format(), IndexFormat::kV3);
  ASSERT_EQ(index.entries().size(), 1U);
  const IndexEntry& entry = index.entries()[0];
  EXPECT_EQ(entry.full_name(), "hello-1.0-r0");
  EXPECT_EQ(entry.arch, "x86_64");
  EXPECT_EQ(entry.size, 1234U);
  EXPECT_EQ(entry.unpacked, 4096U);
  EXPECT_EQ(entry.description, "a test");
  EXPECT_EQ(entry.url, "https://here");
  EXPECT_EQ(entry.license, "MIT");
  EXPECT_EQ(entry.origin, "hello");
  EXPECT_EQ(entry.maintainer, "Me <me@here>");
  EXPECT_EQ(entry.build_time, 1'700'000'000U);
  EXPECT_EQ(entry.priority, 10U);
  EXPECT_EQ(entry.commit.substr(0, 4), "abab");
  EXPECT_EQ(entry.identity.algorithm(), core::HashAlgorithm::kSha256);
  EXPECT_EQ(identity_text(entry.identity).substr(0, 2), "Q2");
  const std::vector<std::string> depends{"so:libc.so", "other>=2.1", "older<3",     "near~1.2",
                                         "exactly=4",  "!enemy",     "!old-enemy<5"};
  EXPECT_EQ(entry.depends, depends);
  EXPECT_EQ(entry.provides, std::vector<std::string>{"cmd:hello=1.0-r0"});
  EXPECT_EQ(entry.replaces, std::vector<std::string>{"hello-old"});
  EXPECT_EQ(entry.install_if, (std::vector<std::string>{"docs", "hello=1.0-r0"}));
  EXPECT_EQ(index.edition().description, "test index");
  EXPECT_EQ(index.edition().time, 1'700'000'000U);
}

TEST(ApkV3Index, IsReadHoweverItIsPacked) {
  const std::string database = v3_index_database({full_info()});
  for (const AdbPacking packing : {AdbPacking::kNone, AdbPacking::kShortDeflate, AdbPacking::kNamedNone,
                                   AdbPacking::kNamedDeflate, AdbPacking::kZstd}) {
    const std::string bytes = v3_index(database, {&rsa_key()}, packing);
    EXPECT_EQ(load_index(bytes, keys_of({&rsa_key()}), "x86_64", "m").entries().size(), 1U);
  }
  EXPECT_TRUE(load_index(v3_index(v3_index_database({}), {&rsa_key()}), keys_of({&rsa_key()}), "x86_64", "m")
                  .entries()
                  .empty());
}

TEST(ApkV3Index, KeysAreFoundByTheirIdAndNotByName) {
  const std::string database = v3_index_database({full_info()});
  const std::string bytes = v3_index(database, {&curve_key(), &rsa_key()});
  for (const ApkV3Key* key : {&rsa_key(), &curve_key()}) {
    const PublicKeys keys{{"any-name.rsa.pub", key->pem()}, {"useless.rsa.pub", "no key at all"}};
    const Index index = load_index(bytes, keys, "x86_64", "m");
    EXPECT_EQ(index.signer().key_name, "any-name.rsa.pub");
    EXPECT_EQ(index.signer().key_digest, core::digest_of(core::HashAlgorithm::kSha256, key->pem()));
  }
  const std::string sha256 =
      "ADB.indx" + testing::adb_block(0, database) +
      testing::adb_block(1, rsa_key().sign("indx", database, 3), testing::BlockHead::kLong);
  EXPECT_NO_THROW(load_index(sha256, keys_of({&rsa_key()}), "x86_64", "m"));
}

TEST(ApkV3Index, TellsWhoIsNotTrusted) {
  const std::string bytes = v3_index(v3_index_database({full_info()}), {&curve_key()});
  const core::Error error = error_of([&] { load_index(bytes, keys_of({&rsa_key()}), "x86_64", "m"); });
  EXPECT_EQ(error.kind(), core::Kind::kSignature);
  const std::string id = core::to_hex(
      std::span(reinterpret_cast<const std::uint8_t*>(curve_key().id().data()), curve_key().id().size()));
  EXPECT_NE(error.message().find(id), std::string::npos) << error.message();
  EXPECT_NE(error.message().find("one.rsa.pub"), std::string::npos) << error.message();
}

TEST(ApkV3Index, SharedPartsAreReadForEachThatHasThem) {
  testing::AdbMaker adb;
  std::vector<testing::AdbMaker::Tag> items;
  V3Info info = full_info();
  const auto tag = info.write(adb);
  const std::string database = adb.finish(adb.object({0, adb.object({tag, tag}), 0}));
  const Index index = load_index(v3_index(database, {&rsa_key()}), keys_of({&rsa_key()}), "x86_64", "m");
  EXPECT_EQ(index.entries().size(), 2U);
  EXPECT_EQ(index.find("hello").size(), 1U);
}

TEST(ApkV3Index, PackagesThatApkCouldNotConvertAreLeftOut) {
  testing::AdbMaker adb;
  const auto good = full_info().write(adb);
  const auto bad = adb.object({adb.blob("other"), 0xf000'0014U, adb.blob(std::string(32, 'x'))});
  const std::string database = adb.finish(adb.object({0, adb.object({bad, good})}));
  const Index index = load_index(v3_index(database, {&rsa_key()}), keys_of({&rsa_key()}), "x86_64", "m");
  ASSERT_EQ(index.entries().size(), 1U);
  EXPECT_EQ(index.entries()[0].name, "hello");
}

TEST(ApkV3Index, RealOnesAreReadUnderBothNames) {
  const fs::path folder = alpine_material().parent_path() / "real" / "apk-v3";
  if (!fs::exists(folder)) GTEST_SKIP() << "the real files are missing: " << folder;
  for (const char* name : {"chimera-APKINDEX.tar.gz", "chimera-Packages.adb"}) {
    const std::string bytes = core::read_text_file(folder / name, 1 << 20);
    const core::Error error =
        error_of([&] { load_index(bytes, keys_of({&rsa_key()}), "x86_64", "chimera"); });
    EXPECT_EQ(error.kind(), core::Kind::kSignature);
    EXPECT_NE(error.message().find("abb7d6d44f632389eb93df4118769cb5"), std::string::npos) << error.message();
    // Its key is not there: what it holds is looked at as on a medium that was verified as a whole.
    const Index index = read_medium_index(bytes, "x86_64", "chimera");
    EXPECT_EQ(index.entries().size(), 26U);
    const IndexEntry* entry = index.find("xserver-xlibre-minimal", "25.0.0.16-r0");
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->license, "MIT AND BSD-3-Clause");
    EXPECT_EQ(entry->depends, (std::vector<std::string>{"xauth", "xinit", "xserver-xlibre-core=25.0.0.16-r0",
                                                        "xserver-xlibre-input-driver"}));
  }
}

}  // namespace
}  // namespace imgforge::fetch
