// Indexes and packages that must be refused. All are made by the real format's rules and then spoiled.
#include <gtest/gtest.h>

#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "core/atomic_file.hpp"
#include "support/apk_maker.hpp"
#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::ApkKey;
using testing::ApkParts;
using testing::error_of;
using testing::gzip;
using testing::index_control;
using testing::signed_member;
using testing::tar_of;
using testing::TarEnd;

const ApkKey& key() {
  static const ApkKey made;
  return made;
}

const PublicKeys& keys() {
  static const PublicKeys made{{key().name(), key().pem()}};
  return made;
}

Index load(const std::string& bytes) {
  return load_index(bytes, keys(), "x86_64", "http://m/APKINDEX");
}

/// The refusal of an index; it must name the index.
core::Error refusal(const std::string& bytes) {
  const core::Error error = error_of([&] { load(bytes); });
  EXPECT_NE(error.message().find("http://m/APKINDEX"), std::string::npos) << error.message();
  return error;
}

std::string good_control() {
  return index_control(ApkParts{}.index_record(100));
}

TEST(ApkIndexAttack, GoodOnesPass) {
  for (const char* type : {"RSA", "RSA256"}) {
    const Index index =
        load(signed_member(good_control(), key(), std::string(".SIGN.") + type + ".test.rsa.pub"));
    EXPECT_NE(index.find("hello", "1.0-r0"), nullptr);
    EXPECT_EQ(index.signer().key_name, "test.rsa.pub");
    EXPECT_EQ(index.signer().key_digest, core::digest_of(core::HashAlgorithm::kSha256, key().pem()));
    EXPECT_EQ(index.signer().algorithm,
              std::string_view(type) == "RSA" ? core::HashAlgorithm::kSha1 : core::HashAlgorithm::kSha256);
  }
}

TEST(ApkIndexAttack, Unsigned) {
  const core::Error error = refusal(good_control());
  EXPECT_EQ(error.kind(), core::Kind::kSignature);
  EXPECT_NE(error.message().find("unsigned"), std::string::npos);
  EXPECT_EQ(refusal(good_control() + good_control()).kind(), core::Kind::kSignature);
  EXPECT_EQ(refusal(gzip(tar_of({})) + good_control()).kind(), core::Kind::kSignature);
}

TEST(ApkIndexAttack, ForeignKey) {
  const ApkKey stranger("stranger.rsa.pub");
  const core::Error unknown = refusal(signed_member(good_control(), stranger));
  EXPECT_EQ(unknown.kind(), core::Kind::kSignature);
  EXPECT_NE(unknown.message().find("stranger.rsa.pub"), std::string::npos) << unknown.message();
  EXPECT_EQ(refusal(signed_member(good_control(), stranger, ".SIGN.RSA.test.rsa.pub")).kind(),
            core::Kind::kSignature);
}

TEST(ApkIndexAttack, KeyNamesThatArePaths) {
  for (const char* name : {".SIGN.RSA.../../../tmp/k.rsa.pub", ".SIGN.RSA.", ".SIGN.RSA.a/b.rsa.pub",
                           ".SIGN.DSA.test.rsa.pub"}) {
    EXPECT_EQ(refusal(signed_member(good_control(), key(), name)).kind(), core::Kind::kSignature) << name;
  }
}

TEST(ApkIndexAttack, OneBitAnywhereInTheSignedMember) {
  const std::string control = good_control();
  const std::string whole = signed_member(control, key());
  const std::size_t begin = whole.size() - control.size();
  // 4: the time in the gzip header, which unpacking ignores but the signature covers.
  for (const std::size_t at : {begin + 4, begin + 40, whole.size() - 9}) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const core::Kind kind = refusal(bytes).kind();
    EXPECT_TRUE(kind == core::Kind::kSignature || kind == core::Kind::kPackage ||
                kind == core::Kind::kIntegrity)
        << at;
    if (at == begin + 4) {
      EXPECT_EQ(kind, core::Kind::kSignature);
    }
  }
}

TEST(ApkIndexAttack, NotAnIndex) {
  const core::Error html = refusal("<!DOCTYPE html><html>log in</html>");
  EXPECT_EQ(html.kind(), core::Kind::kPackage);
  EXPECT_NE(html.message().find("not an index"), std::string::npos);
  EXPECT_EQ(refusal("").kind(), core::Kind::kPackage);
  EXPECT_EQ(refusal(signed_member(gzip(tar_of({{"DESCRIPTION", "x"}})), key())).kind(), core::Kind::kPackage);
  EXPECT_EQ(refusal(signed_member(gzip("no tar"), key())).kind(), core::Kind::kPackage);
}

TEST(ApkIndexAttack, BytesAfterTheIndex) {
  const std::string whole = signed_member(good_control(), key());
  for (const std::string& tail : {good_control(), std::string("junk after it")}) {
    const core::Error error = refusal(whole + tail);
    EXPECT_EQ(error.kind(), core::Kind::kPackage);
    EXPECT_NE(error.message().find("trailing"), std::string::npos) << error.message();
  }
}

TEST(ApkIndexAttack, OtherArchitecture) {
  std::string record = ApkParts{}.index_record(100);
  record.replace(record.find("x86_64"), 6, "aarch64");
  const core::Error error = refusal(signed_member(index_control(record), key()));
  EXPECT_EQ(error.kind(), core::Kind::kPackage);
  EXPECT_NE(error.message().find("arch x86_64 expected, aarch64 got"), std::string::npos) << error.message();
}

TEST(ApkIndexAttack, Bombs) {
  const std::string bomb = gzip(tar_of({{"APKINDEX", std::string(200 << 20, '\n')}}, TarEnd::kWhole));
  EXPECT_LT(bomb.size(), std::size_t{300} << 10);
  EXPECT_EQ(refusal(signed_member(bomb, key())).kind(), core::Kind::kUnsafe);
  const std::string fat = gzip(tar_of({{".SIGN.RSA.test.rsa.pub", std::string(100 << 10, 'x')}}));
  EXPECT_EQ(refusal(fat + good_control()).kind(), core::Kind::kUnsafe);
}

TEST(ApkIndexAttack, EveryTruncation) {
  const std::string whole = signed_member(good_control(), key());
  for (std::size_t length = 0; length < whole.size(); length += 7) {
    const core::Kind kind = refusal(whole.substr(0, length)).kind();
    EXPECT_TRUE(kind == core::Kind::kPackage || kind == core::Kind::kSignature) << length;
  }
}

class ApkPackageAttack : public ::testing::Test {
 protected:
  /// Checks `bytes` against the index record of `listed`.
  void verify(const std::string& bytes, const ApkParts& listed, std::size_t size) {
    core::write_file_atomically(folder_ / "file.apk", bytes);
    const Index index = Index::parse(listed.index_record(size), "x86_64", "index");
    verify_package(folder_ / "file.apk", index.entries().at(0));
  }
  core::Error refusal(const std::string& bytes, const ApkParts& listed) {
    const core::Error error = error_of([&] { verify(bytes, listed, bytes.size()); });
    EXPECT_NE(error.message().find("hello-1.0-r0"), std::string::npos) << error.message();
    return error;
  }
  core::Error refusal(const ApkParts& parts) { return refusal(parts.bytes(key()), parts); }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-apk"};
};

TEST_F(ApkPackageAttack, GoodOnesPass) {
  const ApkParts parts;
  const std::string bytes = parts.bytes(key());
  verify(bytes, parts, bytes.size());
  ApkParts noarch;
  noarch.arch = "noarch";
  const std::string other = noarch.bytes(key());
  verify(other, noarch, other.size());
}

TEST_F(ApkPackageAttack, ASignedIndexVouchesForAPackageWithoutSignatureAndForNoOther) {
  const ApkParts good;
  const std::string bytes = good.control_member() + good.data_member();
  verify(bytes, good, bytes.size());
  ApkParts other;
  other.pkginfo_more = "pkgdesc = other\n";
  EXPECT_EQ(refusal(other.control_member() + other.data_member(), good).kind(), core::Kind::kIntegrity);
}

TEST_F(ApkPackageAttack, AnotherPackageByTheSameKey) {
  ApkParts other;
  other.pkginfo_more = "pkgdesc = other\n";
  const core::Error error = refusal(other.bytes(key()), ApkParts{});
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.message().find("identity mismatch"), std::string::npos) << error.message();
}

TEST_F(ApkPackageAttack, NameVersionOrArchitectureDiffer) {
  for (auto change :
       {+[](ApkParts& parts) { parts.name = "other"; }, +[](ApkParts& parts) { parts.version = "2"; },
        +[](ApkParts& parts) { parts.arch = "aarch64"; }}) {
    ApkParts other;
    change(other);
    // The index names hello-1.0-r0 with the other package's checksum.
    std::string record = other.index_record(0);
    const std::string bytes = other.bytes(key());
    record =
        "C:" + other.identity() + "\nP:hello\nV:1.0-r0\nA:x86_64\nS:" + std::to_string(bytes.size()) + "\n\n";
    core::write_file_atomically(folder_ / "file.apk", bytes);
    const Index index = Index::parse(record, "x86_64", "index");
    EXPECT_EQ(error_of([&] { verify_package(folder_ / "file.apk", index.entries().at(0)); }).kind(),
              core::Kind::kPackage);
  }
}

TEST_F(ApkPackageAttack, DataOtherThanPromised) {
  ApkParts parts;
  parts.datahash = std::string(64, 'a');
  const core::Error error = refusal(parts);
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  EXPECT_NE(error.message().find("datahash"), std::string::npos);
  // One byte of the data member: the gzip header's time, so that it unpacks as before.
  const ApkParts good;
  std::string bytes = good.bytes(key());
  const std::size_t data = bytes.size() - good.data_member().size();
  bytes[data + 4] = static_cast<char>(bytes[data + 4] ^ 1);
  EXPECT_EQ(refusal(bytes, good).kind(), core::Kind::kIntegrity);
}

TEST_F(ApkPackageAttack, BadDatahash) {
  ApkParts missing;
  missing.with_datahash = false;
  EXPECT_EQ(refusal(missing).kind(), core::Kind::kPackage);
  ApkParts twice;
  twice.pkginfo_more = "datahash = " + std::string(64, 'a') + "\n";
  EXPECT_EQ(refusal(twice).kind(), core::Kind::kPackage);
  for (const std::string& hash : {std::string(64, 'A'), std::string(63, 'a'), std::string(64, 'g')}) {
    ApkParts bad;
    bad.datahash = hash;
    EXPECT_EQ(refusal(bad).kind(), core::Kind::kPackage) << hash;
  }
}

TEST_F(ApkPackageAttack, MembersMissingAddedOrSwapped) {
  ApkParts tail;
  tail.tail = gzip(tar_of({{"usr/bin/evil", "x"}}, TarEnd::kWhole));
  const core::Error more = refusal(tail);
  EXPECT_EQ(more.kind(), core::Kind::kPackage);
  EXPECT_NE(more.message().find("trailing"), std::string::npos);
  tail.tail = "junk after it";
  EXPECT_EQ(refusal(tail).kind(), core::Kind::kPackage);
  const ApkParts good;
  const std::string control = good.control_member();
  const std::string signature =
      signed_member(control, key()).substr(0, signed_member(control, key()).size() - control.size());
  EXPECT_EQ(refusal(control, good).kind(), core::Kind::kPackage);
  EXPECT_EQ(refusal(signature + control, good).kind(), core::Kind::kPackage);
  EXPECT_EQ(refusal(good.data_member(), good).kind(), core::Kind::kPackage);
  EXPECT_EQ(refusal(control + signature + good.data_member(), good).kind(), core::Kind::kPackage);
  ApkParts half;
  half.data = gzip(half.data_tar.substr(0, 512)) + gzip(half.data_tar.substr(512));
  EXPECT_EQ(refusal(half).kind(), core::Kind::kPackage);
}

TEST_F(ApkPackageAttack, DataWithoutEnd) {
  ApkParts cut;
  cut.data_tar = tar_of({{"usr/bin/hello", "x"}}, TarEnd::kCut);
  EXPECT_EQ(refusal(cut).kind(), core::Kind::kArchive);
}

TEST_F(ApkPackageAttack, WrongSize) {
  const ApkParts parts;
  const std::string bytes = parts.bytes(key());
  const core::Error error = error_of([&] { verify(bytes, parts, bytes.size() + 1); });
  EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
  for (std::size_t tenth = 0; tenth < 10; ++tenth) {
    const std::string cut = bytes.substr(0, bytes.size() * tenth / 10);
    EXPECT_EQ(error_of([&] { verify(cut, parts, bytes.size()); }).kind(), core::Kind::kIntegrity);
    const core::Kind kind = refusal(cut, parts).kind();
    EXPECT_TRUE(kind == core::Kind::kPackage || kind == core::Kind::kIntegrity) << tenth;
  }
}

TEST_F(ApkPackageAttack, Budgets) {
  ApkParts fat;
  fat.pkginfo_more = "# " + std::string(70 << 10, 'x') + "\n";
  EXPECT_EQ(refusal(fat).kind(), core::Kind::kUnsafe);
  ApkParts fatter;
  fatter.pkginfo_more = "# " + std::string(9 << 20, 'x') + "\n";
  EXPECT_EQ(refusal(fatter).kind(), core::Kind::kUnsafe);
}

TEST_F(ApkPackageAttack, PathsThatEscape) {
  const std::string end(1024, '\0');
  const std::string evil = "evil" + std::string(508, '\0');
  const std::vector<std::string> payloads{
      tar_of({{"../victim", "x"}}, TarEnd::kWhole),
      tar_of({{"/etc/passwd", "x"}}, TarEnd::kWhole),
      testing::tar_header("out", 0, '2', "/tmp") + testing::tar_header("out/victim", 4) + evil + end,
      testing::tar_header("link", 0, '1', "../../etc/passwd") + end,
      testing::tar_header("dev", 0, '4') + end,
      tar_of({{"a", "1"}, {"a", "2"}}, TarEnd::kWhole)};
  for (const std::string& payload : payloads) {
    ApkParts parts;
    parts.data_tar = payload;
    const core::Kind kind = refusal(parts).kind();
    EXPECT_TRUE(kind == core::Kind::kUnsafe || kind == core::Kind::kArchive)
        << &payload - payloads.data() << " " << core::kind_name(kind);
  }
}

TEST_F(ApkPackageAttack, ALinkInsteadOfAFile) {
  std::filesystem::create_symlink("/etc/passwd", folder_ / "link.apk");
  const Index index = Index::parse(ApkParts{}.index_record(1), "x86_64", "index");
  EXPECT_EQ(error_of([&] { verify_package(folder_ / "link.apk", index.entries().at(0)); }).kind(),
            core::Kind::kIo);
}

}  // namespace
}  // namespace imgforge::fetch
