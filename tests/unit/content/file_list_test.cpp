// The list of files: what a root file system gives, and that the document says it again.
#include "builder/content/file_list.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "builder/content/comparison.hpp"
#include "core/error.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::content {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using ::testing::HasSubstr;

class FileListTest : public image::testing::ImageTest {
 protected:
  /// A root with one of each kind, and a name that is no UTF-8.
  std::filesystem::path tar() const {
    const core::Fd fd = core::open_file(path("root.tar"), O_WRONLY | O_CREAT | O_TRUNC);
    artifacts::TarWriter writer(fd.get(), "root.tar");
    const auto add = [&](
                         const char* name, EntryType type, std::string_view content = {},
                         const std::function<void(TarEntry&)>& change = [](TarEntry&) {}) {
      TarEntry entry{.path = name,
                     .type = type,
                     .mode = type == EntryType::kDirectory ? 0755U : 0644U,
                     .size = content.size(),
                     .link_target = {},
                     .xattrs = {}};
      change(entry);
      writer.add(entry, content);
    };
    add(".", EntryType::kDirectory);
    add("a", EntryType::kFile, "content", [](TarEntry& entry) {
      entry.mode = 04755;
      entry.xattrs["security.capability"] = "x";
    });
    add("b", EntryType::kHardlink, {}, [](TarEntry& entry) { entry.link_target = "a"; });
    add("c", EntryType::kSymlink, {}, [](TarEntry& entry) { entry.link_target = "a\xff"; });
    add("d", EntryType::kCharDevice, {}, [](TarEntry& entry) { entry.device_major = 5; });
    add("\xff", EntryType::kFifo);
    writer.finish();
    return path("root.tar");
  }
  FileList list() const { return list_root(tar(), {}); }
  FileList again(const std::filesystem::path& file) const {
    const core::Fd fd = core::open_regular(file);
    return read_file_list(fd.get(), "files");
  }
  /// A document with these lines.
  FileList document(const std::string& text) const {
    spill(path("plain"), text);
    std::filesystem::remove(path("plain.zst"));
    run("zstd", {"-q", "plain", "-o", "plain.zst"});
    return again(path("plain.zst"));
  }
  std::string refusal(const std::string& text) const {
    try {
      document(text);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kIntegrity);
      return error.message();
    }
    return "taken";
  }
};

TEST_F(FileListTest, IsReadAsItWasWritten) {
  const FileList before = list();
  write_file_list(before, path("one.zst"), path("."), {});
  write_file_list(before, path("two.zst"), path("."), {});
  EXPECT_EQ(slurp(path("one.zst")), slurp(path("two.zst")));
  const FileList after = again(path("one.zst"));
  ASSERT_EQ(after.size(), 6U);
  EXPECT_EQ(after.at("a").mode, 04755U);
  EXPECT_EQ(after.at("a").sha256, core::digest_of(core::HashAlgorithm::kSha256, "content"));
  EXPECT_FALSE(after.at("a").attributes.empty());
  EXPECT_EQ(after.at("b").sha256, after.at("a").sha256);
  EXPECT_EQ(after.at("c").target, "a\xff");
  EXPECT_EQ(after.at("d").device_major, 5U);
  EXPECT_EQ(after.at("\xff").type, kFifo);
}

TEST_F(FileListTest, OneSpellingIsTaken) {
  const std::string header = "{\"imgforge_files\":1,\"files\":1}\n";
  const std::string row = R"({"path":"a","type":"directory","mode":"0755","uid":0,"gid":0})";
  EXPECT_EQ(document(header + row + "\n").size(), 1U);
  EXPECT_THAT(refusal(header + row), HasSubstr("cut"));
  EXPECT_THAT(refusal(header), HasSubstr("cut"));
  EXPECT_THAT(refusal(header + row + "\n" + row + "\n"), HasSubstr("not sorted"));
  EXPECT_THAT(refusal("{\"imgforge_files\":2,\"files\":1}\n" + row + "\n"), HasSubstr("another kind"));
  EXPECT_THAT(refusal("{\"imgforge_files\":1,\"files\":2000000}\n"), HasSubstr("too many"));
  for (const char* other : {R"({"path":"a","type":"directory","mode":"755","uid":0,"gid":0})",
                            R"({"path":"a","type":"directory","mode":"0755","uid":0,"gid":0,"more":1})",
                            R"({"path":"a","path":"a","type":"directory","mode":"0755","uid":0,"gid":0})",
                            R"({"path":"a","type":"door","mode":"0755","uid":0,"gid":0})",
                            R"({"type":"directory","mode":"0755","uid":0,"gid":0})"})
    EXPECT_NE(refusal(header + other + "\n"), "taken") << other;
}

TEST_F(FileListTest, FindingsAreBoundedAndCounted) {
  Comparison comparison(list());
  for (int i = 0; i < 1000; ++i)
    comparison.take(
        {"extra" + std::to_string(i), {.type = kRegular, .target = {}, .sha256 = {}, .attributes = {}}, {}});
  const Findings found = comparison.finish();
  EXPECT_EQ(found.count, 1006U);
  EXPECT_EQ(found.first.size(), Findings::kMost);
  EXPECT_EQ(found.first.begin()->path, ".");
}

TEST_F(FileListTest, NoMoreIsReadThanIsListed) {
  Comparison comparison(list());
  FoundFile file{"a", list().at("a"), [](const TakeContent&) { FAIL() << "was read"; }};
  file.row.size = std::uint64_t{20} << 30;
  comparison.take(file);
  EXPECT_THAT(comparison.finish().first.rbegin()->detail, HasSubstr("missing"));
}

}  // namespace
}  // namespace imgforge::content
