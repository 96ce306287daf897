// Rows of an image's package database, which scripts of its packages could write to: none makes a file vanish
// from the list of those that no package brought, and none leads out of the root.
#include <fcntl.h>
#include <gmock/gmock.h>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "builder/stages/unowned_files.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using artifacts::EntryType;
using testing::Contains;
using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string kHead = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:a\nV:1-r0\nA:x86_64\n";

class PackageDatabase : public testing::Test {
 protected:
  std::vector<std::string> unowned(const std::string& database) {
    const fs::path file = folder_ / "rootfs.tar";
    core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
    artifacts::TarWriter writer(fd.get(), file.native());
    const auto add = [&](const std::string& path, EntryType type, const std::string& content = "",
                         const std::string& target = "") {
      artifacts::TarEntry entry;
      entry.path = path;
      entry.type = type;
      entry.link_target = target;
      writer.add(entry, content);
    };
    for (const char* path : {"bin", "lib", "lib/apk", "lib/apk/db"}) add(path, EntryType::kDirectory);
    add("lib/apk/db/installed", EntryType::kFile, database);
    add("bin/backdoor", EntryType::kFile, "evil");
    add("loop", EntryType::kSymlink, "", "loop");
    writer.finish();
    fd.close(file.native());
    std::vector<std::string> out;
    for (const UnownedFile& row :
         look_up_owners(artifacts::BlobStore(folder_ / "blobs").adopt(file), {}, 100, {}).unowned)
      out.push_back(row.path);
    return out;
  }
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-hostile-database"};
};

TEST_F(PackageDatabase, ARowHidesNoFileWhoseBytesItDoesNotKnow) {
  const std::string zero = "Z:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  const std::string zero_long = "Z:Q2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  for (const std::string& rows :
       {std::string("F:bin\nR:backdoor\n"), "F:bin\nR:backdoor\n" + zero, "F:bin\nR:backdoor\n" + zero_long,
        "F:loop\nR:backdoor\n" + zero, "F:bin\nR:other\n" + zero})
    EXPECT_THAT(unowned(kHead + rows + "\n"), Contains("bin/backdoor")) << rows;
}

TEST_F(PackageDatabase, PathsThatLeadElsewhereAreRefused) {
  for (const char* rows : {"F:bin/../bin\nR:backdoor\n", "F:./bin\nR:backdoor\n", "F:/bin\nR:backdoor\n",
                           "F:bin/\nR:backdoor\n", "F:bin\nR:../bin/backdoor\n", "F:bin\nR:.\n"})
    EXPECT_THROW(unowned(kHead + rows + "\n"), core::Error) << rows;
}

TEST_F(PackageDatabase, ChecksumsThatAreNoneAreRefused) {
  for (const char* checksum : {"", "Q1", "Q1AAAA", "Q3AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                               "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA", "Q2AAAAAAAAAAAAAAAAAAAAAAAAAAA="})
    EXPECT_THROW(unowned(kHead + "F:bin\nR:backdoor\nZ:" + checksum + "\n\n"), core::Error) << checksum;
}

TEST_F(PackageDatabase, LinesThatAreNoFieldsAreRefused) {
  using namespace std::string_literals;
  for (const std::string& line : {"F"s, "rubbish"s, "R:a\0b"s, "\x1b[2J"s})
    EXPECT_THROW(unowned(kHead + "F:bin\n" + line + "\n\n"), core::Error) << line;
}

TEST_F(PackageDatabase, MoreFilesThanItsBoundAreRefused) {
  std::string text = kHead + "F:\n";
  for (std::size_t i = 0; i <= fetch::kMaxInstalledFiles; ++i) text += "R:x\n";
  try {
    fetch::parse_installed_files(text, "the database");
    FAIL() << "taken";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kUnsafe);
    EXPECT_THAT(error.message(), HasSubstr("more than 1000000 files"));
  }
}

}  // namespace
}  // namespace imgforge::stages
