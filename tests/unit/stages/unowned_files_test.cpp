// Files whose bytes no package brought.
#include "builder/stages/unowned_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using artifacts::EntryType;
using testing::ElementsAre;
using testing::IsEmpty;
namespace fs = std::filesystem;

std::string checksum(std::string_view content) {
  return "Q1" + core::to_base64(core::digest_of(core::HashAlgorithm::kSha1, content).bytes());
}
std::string cut_sha256(std::string_view content) {
  std::vector<std::uint8_t> bytes = core::digest_of(core::HashAlgorithm::kSha256, content).bytes();
  bytes.resize(20);
  return "Q1" + core::to_base64(bytes);
}

class UnownedFiles : public testing::Test {
 protected:
  struct Member {
    std::string path;
    EntryType type = EntryType::kFile;
    std::string content;  ///< of a link what it leads to
  };
  artifacts::VerifiedFile tar(const std::string& database, const std::vector<Member>& more) {
    const fs::path file = folder_ / "rootfs.tar";
    core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC);
    artifacts::TarWriter writer(fd.get(), file.native());
    std::vector<Member> all;
    for (const char* folder : {"bin", "boot", "etc", "lib", "lib/apk", "lib/apk/db"})
      all.push_back({folder, EntryType::kDirectory, ""});
    all.push_back({"lib/apk/db/installed", EntryType::kFile, database});
    all.insert(all.end(), more.begin(), more.end());
    for (const Member& member : all) {
      artifacts::TarEntry entry;
      entry.path = member.path;
      entry.type = member.type;
      const bool link = member.type == EntryType::kSymlink || member.type == EntryType::kHardlink;
      if (link) entry.link_target = member.content;
      writer.add(entry, link ? "" : member.content);
    }
    writer.finish();
    fd.close(file.native());
    return artifacts::BlobStore(folder_ / "blobs").adopt(file);
  }
  /// "etc/motd of alpine-baselayout": unowned ones, without the database itself.
  static std::vector<std::string> texts(const Ownership& found) {
    std::vector<std::string> out;
    for (const UnownedFile& file : found.unowned) {
      if (file.path != "lib/apk/db/installed")
        out.push_back(file.path + (file.package.empty() ? "" : " of " + file.package));
    }
    return out;
  }
  static Ownership look(const artifacts::VerifiedFile& file, const std::vector<core::Digest>& wanted = {}) {
    return look_up_owners(file, wanted, 100, {});
  }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-unowned"};
};

const std::string kHead = "C:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\nP:layout\nV:1-r0\nA:x86_64\n";

TEST_F(UnownedFiles, AreThoseThatTheDatabaseDoesNotKnowOrKnowsOtherwise) {
  const std::string database = kHead + "F:bin\nR:sh\nZ:" + checksum("shell") +
                               "\nR:old\nF:etc\nR:motd\nZ:" + checksum("welcome") +
                               "\nR:cut\nZ:" + cut_sha256("three") + "\n\n";
  const Ownership found = look(tar(database, {{"bin/old", EntryType::kFile, "no checksum is told"},
                                              {"bin/sh", EntryType::kFile, "shell"},
                                              {"bin/tool", EntryType::kFile, "mine"},
                                              {"bin/twin", EntryType::kHardlink, "bin/sh"},
                                              {"etc/cut", EntryType::kFile, "three"},
                                              {"etc/link", EntryType::kSymlink, "motd"},
                                              {"etc/motd", EntryType::kFile, "changed"}}));
  EXPECT_THAT(texts(found), ElementsAre("bin/old of layout", "bin/tool", "bin/twin", "etc/motd of layout"));
  EXPECT_EQ(found.unowned[1].sha256, core::digest_of(core::HashAlgorithm::kSha256, "mine"));
  EXPECT_EQ(found.unowned[1].sha1, core::digest_of(core::HashAlgorithm::kSha1, "mine"));
  EXPECT_EQ(found.unowned[1].size, 4U);
  EXPECT_EQ(found.left_out, 0U);
}

TEST_F(UnownedFiles, FoldersOfTheDatabaseMayBeLinksInTheImage) {
  const std::string database = kHead + "F:sbin\nR:init\nZ:" + checksum("init") + "\n\n";
  EXPECT_THAT(texts(look(tar(
                  database, {{"bin/init", EntryType::kFile, "init"}, {"sbin", EntryType::kSymlink, "bin"}}))),
              IsEmpty());
}

TEST_F(UnownedFiles, AKernelIsItsPackagesOrNobodys) {
  const std::string database = kHead + "F:boot\nR:vmlinuz-virt\nZ:" + checksum("kernel") + "\n\n";
  const core::Digest kernel = core::digest_of(core::HashAlgorithm::kSha256, "kernel");
  const core::Digest own = core::digest_of(core::HashAlgorithm::kSha256, "own");
  const Ownership found = look(tar(database, {{"boot/vmlinuz-own", EntryType::kFile, "own"},
                                              {"boot/vmlinuz-virt", EntryType::kFile, "kernel"}}),
                               {kernel, own});
  ASSERT_EQ(found.owners.size(), 1U);
  EXPECT_EQ(found.owners.at(kernel), "layout");
  EXPECT_THAT(texts(found), ElementsAre("boot/vmlinuz-own"));
}

TEST_F(UnownedFiles, AreCountedBeyondTheLimit) {
  const auto file = tar(kHead + "\n", {{"bin/a", EntryType::kFile, "1"}, {"bin/b", EntryType::kFile, "2"}});
  const Ownership found = look_up_owners(file, {}, 2, {});
  EXPECT_THAT(texts(found), ElementsAre("bin/a", "bin/b"));
  EXPECT_EQ(found.left_out, 1U) << "the database itself";
}

TEST_F(UnownedFiles, OfADatabaseThatLeadsOutOfTheRootNothingIsTaken) {
  for (const char* rows :
       {"F:../etc\nR:passwd\n", "F:/etc\nR:passwd\n", "F:etc\nR:../passwd\n", "F:etc\nR:..\n", "F:etc\nR:\n",
        "R:x\nZ:Q1rubbish\n", "F:etc\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "F:a//b\n", "F:etc\nR:a/b\n"})
    EXPECT_THROW(look(tar(kHead + rows + "\n", {})), core::Error) << rows;
  EXPECT_THROW(look(tar("F:etc\nR:x\n", {})), core::Error) << "a file of no package";
}

}  // namespace
}  // namespace imgforge::stages
