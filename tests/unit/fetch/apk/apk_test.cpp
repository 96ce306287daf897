// The parts of apk files: gzip members, tar segments, the index's text, names, keys.
#include <gtest/gtest.h>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/apk/apk_keys.hpp"
#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "builder/fetch/apk/tar_segment.hpp"
#include "core/atomic_file.hpp"
#include "support/apk_maker.hpp"
#include "support/apk_v3_maker.hpp"
#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::error_of;
using testing::gzip;
using testing::tar_of;

std::vector<std::string> contents(std::string_view bytes, const std::vector<std::uint64_t>& limits,
                                  std::vector<GzipMember>* members = nullptr) {
  std::vector<std::string> out(limits.size());
  std::string raw;
  std::vector<GzipMember> found = split_gzip(
      gzip_source(bytes), "file", limits,
      [&](std::size_t member, std::span<const std::byte> piece, std::span<const std::byte> content) {
        raw.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        out[member].append(reinterpret_cast<const char*>(content.data()), content.size());
      });
  EXPECT_EQ(raw, bytes) << "every raw byte is seen once";
  if (members != nullptr) *members = found;
  return out;
}

TEST(GzipMembers, AreSplitExactly) {
  const std::string big(700'000, 'x');
  const std::string first = gzip("first");
  const std::string second = gzip(big);
  const std::string third = gzip("");
  std::vector<GzipMember> members;
  const auto out = contents(first + second + third, {1'000, 1'000'000, 10}, &members);
  EXPECT_EQ(out[0], "first");
  EXPECT_EQ(out[1], big);
  EXPECT_EQ(out[2], "");
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[1].offset, first.size());
  EXPECT_EQ(members[1].size, second.size());
  EXPECT_EQ(members[1].unpacked, big.size());
  EXPECT_EQ(members[2].offset + members[2].size, first.size() + second.size() + third.size());
}

TEST(GzipMembers, BoundariesDoNotDependOnBufferEdges) {
  // Members whose sizes put their ends around the edges of a 64 KiB input buffer.
  for (std::size_t size = 65'470; size < 65'560; size += 5) {
    const std::string stored = gzip(std::string(size, 'y'), 0);
    const auto out = contents(stored + gzip("tail"), {100'000, 10});
    EXPECT_EQ(out[0].size(), size);
    EXPECT_EQ(out[1], "tail");
  }
}

TEST(GzipMembers, BadFilesAreRefused) {
  const auto kind = [](const std::string& bytes, const std::vector<std::uint64_t>& limits) {
    return error_of([&] { contents(bytes, limits); });
  };
  const std::string whole = gzip("hello hello hello");
  EXPECT_EQ(kind("<html>", {99}).kind(), core::Kind::kPackage);
  for (std::size_t length = 1; length < whole.size(); ++length) {
    EXPECT_EQ(kind(whole.substr(0, length), {99}).kind(), core::Kind::kPackage) << length;
  }
  std::string flipped = whole;
  flipped[flipped.size() - 6] = static_cast<char>(flipped[flipped.size() - 6] ^ 1);  // in the CRC
  EXPECT_EQ(kind(flipped, {99}).kind(), core::Kind::kIntegrity);
  EXPECT_NE(kind(whole + whole, {99}).message().find("trailing"), std::string::npos);
  EXPECT_NE(kind(whole + "some junk", {99, 99}).message().find("trailing"), std::string::npos);
  EXPECT_EQ(kind(gzip(std::string(1 << 20, '\0')), {1000}).kind(), core::Kind::kUnsafe);
}

TEST(TarSegment, ReadsCutAndWholeArchives) {
  for (const auto end : {testing::TarEnd::kCut, testing::TarEnd::kWhole}) {
    const auto files =
        read_tar_segment(tar_of({{".PKGINFO", "a = b\n"}, {".post-install", "x"}}, end), "part");
    ASSERT_EQ(files.size(), 2u);
    EXPECT_EQ(files[0].name, ".PKGINFO");
    EXPECT_EQ(files[0].content, "a = b\n");
  }
  EXPECT_TRUE(read_tar_segment("", "part").empty());
}

TEST(TarSegment, PaxRecordsOnlyWhenHarmless) {
  const auto with_pax = [](const std::string& record) {
    std::string content = record;
    content.resize(512, '\0');
    return testing::tar_header("PaxHeaders/x", record.size(), 'x') + content + tar_of({{"x", "y"}});
  };
  EXPECT_EQ(read_tar_segment(with_pax("11 ctime=0\n"), "part").size(), 1u);
  EXPECT_EQ(error_of([&] { read_tar_segment(with_pax("14 path=../x\n"), "part"); }).kind(),
            core::Kind::kPackage);
  EXPECT_EQ(error_of([&] { read_tar_segment(with_pax("9 size=9\n"), "part"); }).kind(), core::Kind::kPackage);
  EXPECT_EQ(error_of([&] { read_tar_segment(with_pax("nonsense\n"), "part"); }).kind(), core::Kind::kPackage);
}

TEST(TarSegment, BadSegmentsAreRefused) {
  const std::string good = tar_of({{"x", "content"}});
  std::string sum = good;
  sum[0] = 'y';
  std::string long_size = testing::tar_header("x", 1 << 20) + std::string(512, '\0');
  for (const std::string& bad :
       {good.substr(0, 700), good + "x", sum, long_size, std::string(512, '\0') + good,
        testing::tar_header("x", 0, '2', "/etc"), std::string("<html>")}) {
    EXPECT_EQ(error_of([&] { read_tar_segment(bad, "part"); }).kind(), core::Kind::kPackage);
  }
}

constexpr std::string_view kRecord =
    "C:Q1mcpyM8ftLHlvmaMjdLoBo6zq/Fo=\nP:hello\nV:1.0-r0\nA:x86_64\nS:12\nI:34\nT:A "
    "test\nU:https://h\nL:MIT\n"
    "o:hello-src\nm:Some One <one@example>\nt:99\nc:abc\nk:5\nD:so:x  y>=2 !z\np:cmd:hello=1\ni:a b\nr:c\n\n";

TEST(ApkIndex, ReadsAllFields) {
  const Index index = Index::parse(kRecord, "x86_64", "index");
  ASSERT_EQ(index.entries().size(), 1u);
  const IndexEntry& entry = index.entries()[0];
  EXPECT_EQ(entry.full_name(), "hello-1.0-r0");
  EXPECT_EQ(entry.file_name(), "hello-1.0-r0.apk");
  EXPECT_EQ(entry.identity.hex(), "99ca7233c7ed2c796f99a32374ba01a3aceafc5a");
  EXPECT_EQ(entry.size, 12u);
  EXPECT_EQ(entry.unpacked, 34u);
  EXPECT_EQ(entry.build_time, 99u);
  EXPECT_EQ(entry.priority, 5u);
  EXPECT_EQ(entry.origin, "hello-src");
  EXPECT_EQ(entry.depends, (std::vector<std::string>{"so:x", "y>=2", "!z"}));
  EXPECT_EQ(entry.install_if, (std::vector<std::string>{"a", "b"}));
  EXPECT_NE(index.find("hello", "1.0-r0"), nullptr);
  EXPECT_EQ(index.find("hello", "1.0"), nullptr);
  EXPECT_TRUE(index.find("hell").empty());
  EXPECT_TRUE(Index::parse("", "x86_64", "index").entries().empty());
}

TEST(ApkIndex, ChecksumsMayBeSha256) {
  const core::Digest sha256 = core::digest_of(core::HashAlgorithm::kSha256, "control");
  const std::string record = "C:" + identity_text(sha256) + "\nP:hello\nV:1.0-r0\nA:x86_64\nS:12\n\n";
  EXPECT_EQ(Index::parse(record, "x86_64", "index").entries().at(0).identity, sha256);
  const std::string installed =
      "C:" + identity_text(sha256) +
      "\nP:hello\nV:1.0-r0\nA:x86_64\nf:S\nF:etc\nR:one\nZ:Q1+//w==\nR:two\nZ:" + identity_text(sha256) +
      "\n\n";
  EXPECT_EQ(parse_installed(installed, "database").at(0).identity, sha256);
}

TEST(ApkIndex, RefusesWhatItCannotTrust) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text(kRecord);
    text.replace(text.find(from), from.size(), to);
    return error_of([&] { Index::parse(text, "x86_64", "the index"); });
  };
  const std::vector<std::pair<std::string, std::string>> changes{
      {"P:hello", "P:../../evil"}, {"P:hello", "P:a/b"},
      {"P:hello", "P:.hello"},     {"P:hello", std::string("P:a\0b", 5)},
      {"P:hello", "P:"},           {"V:1.0-r0", "V:../1"},
      {"V:1.0-r0", "V:1 0"},       {"V:1.0-r0", "V:x"},
      {"A:x86_64", "A:aarch64"},   {"S:12", "S:-1"},
      {"S:12", "S:12x"},           {"S:12\n", ""},
      {"C:Q1m", "C:Q2m"},          {"Fo=\n", "Fo\n"},
      {"I:34", "P:again"},         {"T:A test", "no field"},
      {"T:A test", "??"}};
  for (const auto& [from, to] : changes) {
    const core::Error error = with(from, to);
    EXPECT_EQ(error.kind(), core::Kind::kPackage) << to;
    EXPECT_NE(error.message().find("the index: line "), std::string::npos) << error.message();
  }
  EXPECT_NE(with("A:x86_64", "A:aarch64").message().find("arch x86_64 expected, aarch64 got"),
            std::string::npos);
  std::string twice(kRecord);
  twice += kRecord;
  EXPECT_EQ(Index::parse(twice, "x86_64", "index").find("hello").size(), 1u);
  twice.replace(twice.rfind("Q1mc"), 4, "Q1nc");
  EXPECT_EQ(error_of([&] { Index::parse(twice, "x86_64", "index"); }).kind(), core::Kind::kPackage);
}

TEST(ApkNames, AreNarrow) {
  for (const char* good : {"a", "gtk+3.0", "libstdc++", "_x", "7zip", "py3-x.y"})
    EXPECT_TRUE(is_package_name(good));
  for (const char* bad : {"", ".x", "-x", "a/b", "a b", "a\n", "\xc3\xa9"})
    EXPECT_FALSE(is_package_name(bad)) << bad;
  for (const char* good : {"1", "1.2.3_git20230717-r4", "2023d-r0"}) EXPECT_TRUE(is_package_version(good));
  for (const char* bad : {"", "v1", "1/2", "1\n"}) EXPECT_FALSE(is_package_version(bad)) << bad;
  EXPECT_TRUE(is_plain_file_name("alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub"));
  for (const char* bad : {"", ".", "..", "a/b", ".x"}) EXPECT_FALSE(is_plain_file_name(bad)) << bad;
  EXPECT_TRUE(is_arch("x86_64"));
  EXPECT_FALSE(is_arch("x86/64"));
}

TEST(Keys, FilesOfTheRecipe) {
  const testing::ApkKey key("mine.rsa.pub");
  const testing::ApkKey other("mine.rsa.pub");
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-keys");
  PublicKeys keys;
  add_key_files(keys, {key.path(), key.path()});
  EXPECT_EQ(keys.at("mine.rsa.pub"), key.pem());
  EXPECT_EQ(error_of([&] { add_key_files(keys, {other.path()}); }).kind(), core::Kind::kSignature);
  core::write_file_atomically(folder / "mine.pem", key.pem());
  EXPECT_EQ(error_of([&] { add_key_files(keys, {folder / "mine.pem"}); }).kind(), core::Kind::kSignature);
  core::write_file_atomically(folder / "bad.rsa.pub", "no key");
  EXPECT_EQ(error_of([&] { add_key_files(keys, {folder / "bad.rsa.pub"}); }).kind(), core::Kind::kSignature);
  EXPECT_EQ(error_of([&] { add_key_files(keys, {folder / "none.rsa.pub"}); }).kind(), core::Kind::kIo);
  EXPECT_EQ(keys.size(), 1u);
}

TEST(Keys, ThoseForEcdsaMayHaveAnyNameOfAKey) {
  const testing::ApkV3Key curve(testing::ApkV3Key::Type::kEcdsa, "curve");
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-keys");
  PublicKeys keys;
  for (const char* name : {"curve.pem", "curve.pub", "curve.rsa.pub"}) {
    core::write_file_atomically(folder / name, curve.pem());
    EXPECT_NO_THROW(add_key_files(keys, {folder / name})) << name;
  }
  core::write_file_atomically(folder / "curve.txt", curve.pem());
  EXPECT_EQ(error_of([&] { add_key_files(keys, {folder / "curve.txt"}); }).kind(), core::Kind::kSignature);
  EXPECT_EQ(keys.size(), 3u);
}

}  // namespace
}  // namespace imgforge::fetch
