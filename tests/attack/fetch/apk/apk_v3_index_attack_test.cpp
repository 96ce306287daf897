// Indexes of apk 3 that must be refused. All are made by the format's rules and then spoiled.
#include <gtest/gtest.h>

#include "builder/fetch/apk/apk_index.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using core::Kind;
using testing::adb_block;
using testing::adb_file;
using testing::AdbMaker;
using testing::AdbPacking;
using testing::ApkV3Key;
using testing::BlockHead;
using testing::error_of;
using testing::little_endian;
using testing::v3_index;
using testing::v3_index_database;
using testing::V3Dependency;
using testing::V3Info;

const ApkV3Key& key() {
  static const ApkV3Key made(ApkV3Key::Type::kRsa, "test.rsa.pub");
  return made;
}

Index load(const std::string& bytes) {
  return load_index(bytes, {{key().name(), key().pem()}}, "x86_64", "http://m/APKINDEX");
}

/// The refusal of an index; it must name the index.
core::Error refusal(const std::string& bytes) {
  const core::Error error = error_of([&] { load(bytes); });
  EXPECT_NE(error.message().find("http://m/APKINDEX"), std::string::npos) << error.message();
  return error;
}

/// The refusal of a database that is signed as it is.
core::Error refusal_of_database(const std::string& database) {
  return refusal(v3_index(database, {&key()}));
}

V3Info good_info() {
  V3Info info;
  info.identity = std::string(32, '\x11');
  info.size = 1234;
  return info;
}

std::string good_database() {
  return v3_index_database({good_info()});
}

std::string plain(const std::string& blocks) {
  return "ADB.indx" + blocks;
}

std::string signature(const std::string& database) {
  return adb_block(1, key().sign("indx", database));
}

TEST(ApkV3IndexAttack, CutAnywhere) {
  for (const AdbPacking packing : {AdbPacking::kNone, AdbPacking::kShortDeflate, AdbPacking::kZstd}) {
    const std::string whole = v3_index(good_database(), {&key()}, packing);
    ASSERT_NO_THROW(load(whole));
    for (std::size_t size = 4; size < whole.size(); size += 7) {
      const Kind kind = refusal(whole.substr(0, size)).kind();
      EXPECT_TRUE(kind == Kind::kPackage || kind == Kind::kSignature || kind == Kind::kIntegrity) << size;
    }
  }
}

TEST(ApkV3IndexAttack, OneBitOfTheDatabaseOrItsSignature) {
  const std::string database = good_database();
  const std::string whole = plain(adb_block(0, database) + signature(database));
  for (std::size_t at = 12; at < whole.size(); at += 3) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    const Kind kind = refusal(bytes).kind();
    EXPECT_TRUE(kind == Kind::kSignature || kind == Kind::kPackage || kind == Kind::kUnsafe) << at;
    if (at < 12 + database.size()) {
      EXPECT_EQ(kind, Kind::kSignature) << at;
    }
  }
}

TEST(ApkV3IndexAttack, UnsignedOrByAStranger) {
  const std::string database = good_database();
  EXPECT_EQ(refusal(plain(adb_block(0, database))).kind(), Kind::kSignature);
  const ApkV3Key stranger(ApkV3Key::Type::kEcdsa, "test.rsa.pub");
  EXPECT_EQ(refusal(v3_index(database, {&stranger})).kind(), Kind::kSignature);
  // The trusted key's id on a stranger's signature.
  const core::Error error =
      refusal(plain(adb_block(0, database) + adb_block(1, stranger.sign("indx", database, 4, key().id()))));
  EXPECT_EQ(error.kind(), Kind::kSignature);
  EXPECT_NE(error.message().find("bad signature"), std::string::npos) << error.message();
  // A right signature that names another key.
  EXPECT_EQ(refusal(plain(adb_block(0, database) +
                          adb_block(1, key().sign("indx", database, 4, std::string(16, 'x')))))
                .kind(),
            Kind::kSignature);
}

TEST(ApkV3IndexAttack, AGoodSignatureDoesNotMakeABadOneGood) {
  const std::string database = good_database();
  std::string bad = key().sign("indx", database);
  bad.back() = static_cast<char>(bad.back() ^ 1);
  EXPECT_EQ(refusal(plain(adb_block(0, database) + signature(database) + adb_block(1, bad))).kind(),
            Kind::kSignature);
}

TEST(ApkV3IndexAttack, SignaturesOfSomethingElse) {
  const std::string database = good_database();
  // A package's database with the bytes of an index, signed as a package.
  EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, key().sign("pckg", database)))).kind(),
            Kind::kSignature);
  EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, key().sign("indx", database + "x")))).kind(),
            Kind::kSignature);
  // Digests that are too short or not known; another version of signatures; one that is only a head.
  for (const char digest : {'\0', '\2', '\5', '\x7f'}) {
    std::string block = key().sign("indx", database);
    block[1] = digest;
    EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, block))).kind(), Kind::kSignature);
  }
  std::string later = key().sign("indx", database);
  later[0] = 1;
  EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, later))).kind(), Kind::kSignature);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{18}}) {
    const std::string block = key().sign("indx", database).substr(0, size);
    EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, block))).kind(), Kind::kSignature) << size;
  }
}

TEST(ApkV3IndexAttack, BlocksInAnyOtherOrderOrForm) {
  const std::string database = good_database();
  const std::string first = adb_block(0, database);
  const std::string sig = signature(database);
  for (const std::string& blocks :
       {std::string(), sig, sig + first, first + first + sig, first + sig + first,
        first + sig + adb_block(2, "data"), first + adb_block(2, "data") + sig, first + sig + "xy",
        first + sig + little_endian(2, 4), first + sig + little_endian(4U << 28 | 4, 4),
        first + sig + std::string(8, '\0'),
        first + sig + little_endian(0xc000'0003U, 4) + std::string(12, '\0')}) {
    EXPECT_EQ(refusal(plain(blocks)).kind(), Kind::kPackage) << blocks.size();
  }
  std::string filled = first;
  ASSERT_EQ(filled.back(), '\0') << "there must be padding for this";
  filled.back() = 'x';
  EXPECT_EQ(refusal(plain(filled + sig)).kind(), Kind::kPackage);
  EXPECT_EQ(refusal("ADB.pckg" + first + sig).kind(), Kind::kPackage);
  EXPECT_EQ(refusal("ADB.").kind(), Kind::kPackage);
}

TEST(ApkV3IndexAttack, UnknownCompressionAndBytesBehindIt) {
  const std::string database = good_database();
  const std::string bytes = plain(adb_block(0, database) + signature(database));
  EXPECT_EQ(refusal(std::string("ADBc\3\0", 6) + bytes).kind(), Kind::kPackage);
  EXPECT_EQ(refusal("ADBc").kind(), Kind::kPackage);
  for (const AdbPacking packing : {AdbPacking::kShortDeflate, AdbPacking::kZstd}) {
    const core::Error error = refusal(adb_file(bytes, packing) + "junk");
    EXPECT_EQ(error.kind(), Kind::kPackage) << error.message();
  }
  EXPECT_EQ(refusal("ADBd\xff\xff junk").kind(), Kind::kIntegrity);
  EXPECT_EQ(refusal(std::string("ADBc\2\0", 6) + "junk junk").kind(), Kind::kIntegrity);
}

TEST(ApkV3IndexAttack, Bombs) {
  const std::string zeros(100 << 20, '\0');
  const std::string bomb = "ADB.indx" + little_endian(0x3fff'ffffU, 4) + zeros;
  for (const AdbPacking packing : {AdbPacking::kShortDeflate, AdbPacking::kZstd}) {
    const std::string bytes = adb_file(bomb, packing);
    EXPECT_LT(bytes.size(), bomb.size() / 500);
    EXPECT_EQ(refusal(bytes).kind(), Kind::kUnsafe);
  }
  // Blocks that say to be large, and signatures without end.
  const std::string database = good_database();
  EXPECT_EQ(refusal(plain(adb_block(0, database) + adb_block(1, std::string(1 << 20, 'x')))).kind(),
            Kind::kUnsafe);
  std::string many = adb_block(0, database);
  for (int i = 0; i < 1000; ++i) many += adb_block(1, "x");
  EXPECT_EQ(refusal(plain(many)).kind(), Kind::kUnsafe);
  EXPECT_EQ(refusal(plain(little_endian(0xc000'0000U, 4) + std::string(4, '\0') +
                          little_endian(std::uint64_t{1} << 62, 8)))
                .kind(),
            Kind::kUnsafe);
  EXPECT_EQ(refusal(plain(adb_block(0, database) + little_endian(0xc000'0001U, 4) + std::string(12, '\xff')))
                .kind(),
            Kind::kUnsafe);
}

TEST(ApkV3IndexAttack, ValuesOutsideTheDatabase) {
  const auto with_root = [](std::uint32_t root) {
    AdbMaker adb;
    adb.blob("some text");
    return adb.finish(root);
  };
  for (const std::uint32_t root : {0xe000'0000U + 2000, 0xefff'ffffU, 0xe000'0012U, 0xd000'0013U,
                                   0x8000'0008U, 0x1000'0001U, 0xf000'0000U, 0x4000'0000U, 0x0000'0001U}) {
    EXPECT_EQ(refusal_of_database(with_root(root)).kind(), Kind::kPackage) << root;
  }
  EXPECT_EQ(refusal_of_database("short").kind(), Kind::kPackage);
  std::string other_version = good_database();
  other_version[0] = 1;
  EXPECT_EQ(refusal_of_database(other_version).kind(), Kind::kPackage);
  // Each slot of the package's object, with each kind of value outside.
  for (std::size_t slot = 1; slot <= 18; ++slot) {
    for (const std::uint32_t type : {0x2U, 0x3U, 0x8U, 0x9U, 0xaU, 0xdU, 0xeU}) {
      AdbMaker adb;
      std::vector<AdbMaker::Tag> slots{adb.blob("hello"), adb.blob("1.0-r0"), adb.blob(std::string(32, 'x')),
                                       0, adb.blob("x86_64")};
      slots.resize(18);
      slots[12] = adb.number(1234);
      slots[slot - 1] = type << 28 | 0x00ff'ffffU;
      const std::string database = adb.finish(adb.object({0, adb.list({adb.object(slots)})}));
      EXPECT_EQ(refusal_of_database(database).kind(), Kind::kPackage) << slot << " " << type;
    }
  }
}

TEST(ApkV3IndexAttack, CountsThatAreHuge) {
  AdbMaker adb;
  adb.blob(little_endian(0xffff'ffffU, 4) + std::string(60, '\0'));
  EXPECT_EQ(refusal_of_database(adb.finish(0xe000'0009U)).kind(), Kind::kPackage);
  // A list of a million that all are the same package, and lists in it that all are the same again.
  AdbMaker wide;
  V3Info info = good_info();
  const std::vector<AdbMaker::Tag> same(1'000'000, info.write(wide));
  EXPECT_EQ(refusal_of_database(wide.finish(wide.object({0, wide.object(same)}))).kind(), Kind::kUnsafe);
  AdbMaker deep;
  const auto word = deep.object({deep.blob("word")});
  const auto words = deep.object(std::vector<AdbMaker::Tag>(100'000, word));
  const auto package = deep.object({deep.blob("hello"), deep.blob("1.0-r0"), deep.blob(std::string(32, 'x')),
                                    0, deep.blob("x86_64"), 0, 0, 0, 0, 0, 0, 0, deep.number(1), 0, words});
  const std::vector<AdbMaker::Tag> packages(10'000, package);
  EXPECT_EQ(refusal_of_database(deep.finish(deep.object({0, deep.object(packages)}))).kind(), Kind::kUnsafe);
  // Long texts that all are the same one.
  AdbMaker text;
  const auto long_text = text.blob(std::string(1 << 20, 'x'));
  const auto texts = text.object({text.blob("hello"), text.blob("1.0-r0"), text.blob(std::string(32, 'x')),
                                  long_text, text.blob("x86_64"), 0, 0, 0, 0, 0, 0, 0, text.number(1)});
  EXPECT_EQ(refusal_of_database(
                text.finish(text.object({0, text.object(std::vector<AdbMaker::Tag>(10'000, texts))})))
                .kind(),
            Kind::kUnsafe);
}

TEST(ApkV3IndexAttack, ValuesThatHoldThemselves) {
  // The list of packages is the index's own object, which is in the list.
  AdbMaker adb;
  const std::uint32_t self = 0xe000'0008U;
  ASSERT_EQ(adb.object({self, self, self}), self);
  EXPECT_EQ(refusal_of_database(adb.finish(self)).kind(), Kind::kPackage);
}

TEST(ApkV3IndexAttack, NamesAndWordsThatMeanSomethingElse) {
  const auto refused = [](auto change) {
    V3Info info = good_info();
    change(info);
    return refusal_of_database(v3_index_database({info})).kind();
  };
  for (const char* name : {"", "../../evil", "a/b", "a b", "a\nb", "-a"})
    EXPECT_EQ(refused([&](V3Info& info) { info.name = name; }), Kind::kPackage) << name;
  for (const char* version : {"", "1/2", "1\n2", "v1", "../1"})
    EXPECT_EQ(refused([&](V3Info& info) { info.version = version; }), Kind::kPackage) << version;
  for (const char* arch : {"", "aarch64", "x86_64/.."})
    EXPECT_EQ(refused([&](V3Info& info) { info.arch = arch; }), Kind::kPackage) << arch;
  for (const std::size_t size : {0, 1, 19, 21, 31, 33, 64})
    EXPECT_EQ(refused([&](V3Info& info) { info.identity = std::string(size, 'x'); }), Kind::kPackage) << size;
  EXPECT_EQ(refused([](V3Info& info) { info.size = 0; }), Kind::kPackage);
  EXPECT_EQ(refused([](V3Info& info) { info.description = "one\nP:two"; }), Kind::kPackage);
  for (const V3Dependency& word :
       {V3Dependency{""}, V3Dependency{"a b"}, V3Dependency{"!a"}, V3Dependency{"a=1"}, V3Dependency{"a\n"},
        V3Dependency{"a", "1 2"}, V3Dependency{"a", "1=2"}, V3Dependency{"a", "1", 7},
        V3Dependency{"a", "1", 32}})
    EXPECT_EQ(refused([&](V3Info& info) { info.depends = {word}; }), Kind::kPackage) << word.name;
  EXPECT_EQ(refusal_of_database(v3_index_database({good_info()}, "pool/${name}-${version}.apk")).kind(),
            Kind::kPackage);
  V3Info other = good_info();
  other.identity = std::string(32, 'y');
  EXPECT_EQ(refusal_of_database(v3_index_database({good_info(), other})).kind(), Kind::kPackage);
}

}  // namespace
}  // namespace imgforge::fetch
