#include <fmt/format.h>

#include "artifacts/codec/gzip.hpp"
#include "builder/image/boot/boot_compression.hpp"
#include "builder/image/boot/cpio.hpp"
#include "core/text.hpp"
#include "unit/compare/compare_testing.hpp"

namespace imgforge::compare {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Archives : public testing::CompareTest {};

void make_tar(const std::filesystem::path& file, std::int64_t mtime, std::uint32_t uid,
              const std::string& text) {
  image::testing::TarBuilder tar(file);
  tar.directory("etc").file("etc/same", "same\n");
  artifacts::TarEntry entry;
  entry.path = "etc/id";
  entry.mtime = mtime;
  entry.uid = uid;
  tar.add(entry, text);
  tar.finish();
}

TEST_F(Archives, EqualFilesHaveNothingToTell) {
  pair("same", "same");
  EXPECT_EQ(told(), "file\n");
}

TEST_F(Archives, TextsAreToldByLine) {
  pair("one\ntwo\nthree\n", "one\n2\nthree\n");
  EXPECT_EQ(told(), "file (text)\n  line 2: \"two\" -> \"2\"\n");
}

TEST_F(Archives, AddedLinesStandOnTheirSide) {
  pair("one\nthree\n", "one\ntwo\nthree\n");
  EXPECT_EQ(told(), "file (text)\n  line 2: (absent) -> \"two\"\n");
}

TEST_F(Archives, BinariesAreToldByRanges) {
  pair(std::string(100, '\0'), std::string(40, '\0') + "\x01\x02" + std::string(58, '\0'));
  EXPECT_EQ(told(), "file\n  bytes 40-41: 00 00 -> 01 02\n");
}

TEST_F(Archives, ManyRangesAreCounted) {
  std::string other(100'000, '\0');
  for (std::size_t i = 0; i < other.size(); i += 1000) other[i] = '\x01';
  pair(std::string(100'000, '\0'), other);
  EXPECT_THAT(told(), HasSubstr("... and 88 more"));
}

TEST_F(Archives, TarMembersAreToldByFieldAndLine) {
  make_tar(path("a"), 1700000000, 0, "id: 1\n");
  make_tar(path("b"), 1700000001, 5, "id: 2\n");
  EXPECT_EQ(told(),
            "file (tar)\n"
            "  /etc/id (text)\n"
            "    uid: 0 -> 5\n"
            "    mtime: 2023-11-14T22:13:20Z (1700000000) -> 2023-11-14T22:13:21Z (1700000001)\n"
            "    line 1: \"id: 1\" -> \"id: 2\"\n");
}

TEST_F(Archives, MembersOnOneSideAndTheOrderAreTold) {
  image::testing::TarBuilder(path("a")).file("x", "1").file("y", "2").finish();
  image::testing::TarBuilder(path("b")).file("y", "2").file("x", "1").finish();
  EXPECT_THAT(told(), HasSubstr("order of members: x -> y"));
  image::testing::TarBuilder(path("b")).file("x", "1").finish();
  EXPECT_THAT(told(), HasSubstr("/y: file -> (absent)"));
}

TEST_F(Archives, NamesOfUsersInTarHeadersAreTold) {
  make_tar(path("a"), 1700000000, 0, "id: 1\n");
  std::string content = slurp(path("a"));
  content.replace(265, 4, "root");
  std::uint32_t sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i)
    sum += i >= 148 && i < 156 ? 0 : static_cast<unsigned char>(content[i]);
  content.replace(148, 6, fmt::format("{:06o}", sum));
  spill(path("b"), content);
  EXPECT_THAT(told(), AllOf(HasSubstr("  header at byte 0, of etc"), HasSubstr("    uname:  -> root\n")));
}

std::string initramfs(const std::string& text, std::uint32_t mode) {
  image::CpioWriter cpio;
  cpio.directory("etc");
  cpio.file("etc/motd", text, mode);
  return cpio.finish();
}

TEST_F(Archives, CompressedInitramfsAreToldByMember) {
  using image::InitramfsCompression;
  for (const auto compression : {InitramfsCompression::kGzip, InitramfsCompression::kZstd}) {
    pair(image::compress_initramfs(initramfs("hello\n", 0644), compression),
         image::compress_initramfs(initramfs("HELLO\n", 0755), compression));
    EXPECT_THAT(told(), HasSubstr("  unpacked (cpio)\n"
                                  "    /etc/motd (text)\n"
                                  "      mode: 0100644 -> 0100755\n"
                                  "      line 1: \"hello\" -> \"HELLO\"\n"));
  }
}

TEST_F(Archives, TheTimeInAGzipHeaderIsNamed) {
  spill(path("a"), artifacts::gzip("hello\n"));
  change(4, std::string("\x00\xf1\x53\x65", 4));
  EXPECT_THAT(told(),
              AllOf(HasSubstr("gzip header"), HasSubstr("mtime: 1970-01-01T00:00:00Z (0) -> 2023-11-14"),
                    Not(HasSubstr("unpacked"))));
}

TEST_F(Archives, ProgramsAreToldBySection) {
  std::filesystem::copy_file("/bin/true", path("a"));
  const std::string headers = run("objdump", {"-h", path("a").native()});
  const std::size_t at = headers.find(".rodata");
  ASSERT_NE(at, std::string::npos);
  const auto words = core::split(headers.substr(at, 120), ' ');
  std::vector<std::string> filled;
  for (const std::string& word : words) {
    if (!word.empty()) filled.push_back(word);
  }
  change(std::stoull(filled.at(4), nullptr, 16) + 2, "\xAA");
  EXPECT_THAT(told(), HasSubstr("file (ELF)\n  section .rodata\n    bytes 2-2: "));
}

}  // namespace
}  // namespace imgforge::compare
