#include "builder/stages/medium.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using artifacts::EntryType;
using guest::PathKind;

TEST(PackageTree, KnowsFoldersLinksTextsAndServices) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-medium");
  const std::filesystem::path tar = folder / "package.tar";
  {
    const core::Fd fd = core::open_file(tar, O_WRONLY | O_CREAT);
    artifacts::TarWriter writer(fd.get(), "package");
    const auto add = [&](const std::string& path, EntryType type, const std::string& text) {
      artifacts::TarEntry entry;
      entry.path = path;
      entry.type = type;
      if (type == EntryType::kSymlink) entry.link_target = text;
      writer.add(entry, type == EntryType::kFile ? text : "");
    };
    add("etc", EntryType::kDirectory, "");
    add("etc/init.d", EntryType::kDirectory, "");
    add("etc/init.d/sshd", EntryType::kFile, "#!/sbin/openrc-run\n");
    add("etc/passwd", EntryType::kFile, "root:x:0:0::/root:/bin/sh\n");
    add("etc/inittab", EntryType::kFile, "::sysinit:/sbin/openrc\n");
    add("usr", EntryType::kDirectory, "");
    add("usr/lib", EntryType::kDirectory, "");
    add("lib", EntryType::kSymlink, "usr/lib");
    add("run", EntryType::kSymlink, "/nowhere");
    add("loop", EntryType::kSymlink, "loop");
    writer.finish();
  }
  PackageTree tree;
  artifacts::TarReader reader(tar, {});
  artifacts::TarEntry entry;
  while (reader.next(entry)) tree.add(entry, [&](std::uint64_t limit) { return reader.read_text(limit); });
  const guest::Facts facts = tree.facts();
  EXPECT_EQ(facts.text("/etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  EXPECT_FALSE(facts.texts.contains("/etc/inittab")) << "the initramfs completes it";
  EXPECT_EQ(facts.services, std::vector<std::string>{"sshd"});
  EXPECT_EQ(facts.at("/usr/lib").kind, PathKind::kDirectory);
  EXPECT_EQ(facts.at("/lib").kind, PathKind::kLinkToDirectory);
  EXPECT_EQ(facts.at("/lib").real, "/usr/lib");
  EXPECT_EQ(facts.at("/run").kind, PathKind::kLink);
  EXPECT_EQ(facts.at("/loop").kind, PathKind::kLink);
  EXPECT_EQ(facts.at("/etc/passwd").kind, PathKind::kOther);
  EXPECT_EQ(facts.at("/etc/shadow").kind, PathKind::kAbsent);
}

}  // namespace
}  // namespace imgforge::stages
