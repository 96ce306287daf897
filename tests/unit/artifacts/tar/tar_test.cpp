// Reader, writer and normalising against GNU tar and Python's tarfile.
#include "artifacts/tar/tar.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "support/source_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::ElementsAre;
namespace fs = std::filesystem;

class Tar : public testing::Test {
 protected:
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-tar"};

  std::string run(const std::string& program, std::vector<std::string> args) {
    core::Command command;
    command.program = program;
    command.args = std::move(args);
    command.directory = folder_.path();
    return core::system_processes().check(command, {}).out;
  }
  core::Fd create(const std::string& name) {
    return core::open_file(folder_ / name, O_RDWR | O_CREAT | O_TRUNC);
  }
  static TarPolicy devices() {
    TarPolicy policy;
    policy.devices = Devices::kAllow;
    return policy;
  }
  /// "path type target" of each member.
  std::vector<std::string> listing(const std::string& name) {
    std::vector<std::string> lines;
    TarReader reader(folder_ / name, devices());
    TarEntry entry;
    while (reader.next(entry)) {
      lines.push_back(entry.path + " " + "fdlhcbp"[static_cast<int>(entry.type)] +
                      (entry.link_target.empty() ? "" : " " + entry.link_target));
    }
    return lines;
  }
  NormaliseResult normalise(const std::string& from, const std::string& to, const NormaliseOptions& options) {
    TarReader reader(folder_ / from, devices());
    const core::Fd target = create(to);
    return normalise_rootfs(reader, target.get(), folder_.path(), options);
  }
};

TarEntry entry_of(EntryType type, std::string path, std::string target = {}) {
  TarEntry entry;
  entry.type = type;
  entry.path = std::move(path);
  entry.link_target = std::move(target);
  entry.mtime = 1000;
  return entry;
}

TEST_F(Tar, WhatIsWrittenIsReadBackTheSame) {
  std::vector<TarEntry> written;
  written.push_back(entry_of(EntryType::kDirectory, "."));
  written.push_back(entry_of(EntryType::kDirectory, std::string(120, 'd')));
  written.push_back(entry_of(EntryType::kFile, std::string(120, 'd') + "/" + std::string(99, 'f')));
  written.back().size = 3;
  written.back().xattrs = {{"user.b", std::string("\0\n=x", 4)}, {"security.capability", "\x01\x02"}};
  written.push_back(entry_of(EntryType::kFile, "bytes \xff\xfe " + std::string(120, 'x')));
  written.back().uid = 2147483648U;
  written.back().gid = 2097152;
  written.back().mtime = -5;
  written.push_back(entry_of(EntryType::kSymlink, "s", std::string(300, 't') + "\xff"));
  written.push_back(entry_of(EntryType::kHardlink, "h", written[2].path));
  written.push_back(entry_of(EntryType::kCharDevice, "null"));
  written.back().device_major = 1;
  written.back().device_minor = 3;
  written.push_back(entry_of(EntryType::kBlockDevice, "disk"));
  written.push_back(entry_of(EntryType::kFifo, "pipe"));
  written.push_back(entry_of(EntryType::kFile, "late"));
  written.back().mtime = 99999999999;
  const core::Fd fd = create("w.tar");
  TarWriter writer(fd.get(), "w.tar");
  for (const TarEntry& entry : written) {
    writer.begin(entry);
    if (entry.size != 0) writer.write(core::as_bytes("abc"));
  }
  writer.finish();
  TarReader reader(folder_ / "w.tar", devices());
  TarEntry entry;
  for (const TarEntry& expected : written) {
    ASSERT_TRUE(reader.next(entry));
    EXPECT_EQ(entry.path, expected.path);
    EXPECT_EQ(entry.type, expected.type);
    EXPECT_EQ(entry.mode, expected.mode);
    EXPECT_EQ(entry.uid, expected.uid);
    EXPECT_EQ(entry.gid, expected.gid);
    EXPECT_EQ(entry.mtime, expected.mtime);
    EXPECT_EQ(entry.size, expected.size);
    EXPECT_EQ(entry.link_target, expected.link_target);
    EXPECT_EQ(entry.device_major, expected.device_major);
    EXPECT_EQ(entry.xattrs, expected.xattrs);
    if (expected.size != 0) {
      EXPECT_EQ(reader.read_text(), "abc");
    }
  }
  EXPECT_FALSE(reader.next(entry));
}

TEST_F(Tar, GnuTarAndPythonReadTheWriter) {
  const core::Fd fd = create("w.tar");
  TarWriter writer(fd.get(), "w.tar");
  const std::string path = "a/" + std::string(150, 'n') + "/f";
  writer.add(entry_of(EntryType::kFile, path), std::string(700, 'q'));
  TarEntry big = entry_of(EntryType::kFile, "id");
  big.uid = 3000000;
  writer.add(big);
  writer.finish();
  EXPECT_EQ(run("tar", {"-tf", "w.tar"}), path + "\nid\n");
  EXPECT_EQ(run("tar", {"-xOf", "w.tar", path}), std::string(700, 'q'));
  EXPECT_EQ(run("/usr/bin/python3",
                {"-c", "import tarfile; t=tarfile.open('w.tar'); print(t.getmembers()[1].uid)"}),
            "3000000\n");
}

TEST_F(Tar, ContentBeyondEightGibibytesIsAnnouncedInPax) {
  const core::Fd fd = create("big.tar");
  TarEntry entry = entry_of(EntryType::kFile, "big");
  entry.size = (8ULL << 30) + 1;
  {
    TarWriter writer(fd.get(), "big.tar");
    writer.begin(entry);
    EXPECT_THROW(writer.finish(), Error) << "a short member must not look finished";
  }
  // The writer was abandoned with the headers in its buffer: nothing reached the file.
  EXPECT_EQ(core::file_size(fd.get(), "big.tar"), 0U);
}

TEST_F(Tar, WriterRefusesWhatReadersWouldRefuse) {
  const core::Fd fd = create("w.tar");
  TarWriter writer(fd.get(), "w.tar");
  for (const char* path : {"/abs", "a/../b", "a//b", "./a", "", "a/"}) {
    EXPECT_THROW(writer.add(entry_of(EntryType::kFile, path)), Error) << path;
  }
  EXPECT_THROW(writer.add(entry_of(EntryType::kSymlink, "s")), Error);
  EXPECT_THROW(writer.add(entry_of(EntryType::kDirectory, "d"), "content"), Error);
  writer.begin(entry_of(EntryType::kFile, "empty"));
  EXPECT_THROW(writer.write(core::as_bytes("x")), Error);
}

TEST_F(Tar, ReadsEveryDialectOfGnuTar) {
  fs::create_directories(folder_ / "t" / std::string(150, 'd'));
  core::Fd file = create("t/" + std::string(150, 'd') + "/f");
  core::write_all(file.get(), std::string(5000, 'c'), "f");
  fs::create_symlink(std::string(200, 'l'), folder_ / "t" / "s");
  fs::create_hard_link(folder_ / "t" / std::string(150, 'd') / "f", folder_ / "t" / "z");
  const std::vector<std::string> flags{"--format=gnu", "--format=posix"};
  for (const std::string& flag : flags) {
    for (const char* pack : {"-cf", "-czf", "-cJf", "-cjf"}) {
      run("tar", {flag, "--sort=name", pack, "t.tar", "-C", "t", "."});
      const std::vector<std::string> lines = listing("t.tar");
      ASSERT_EQ(lines.size(), 5U) << flag << pack;
      EXPECT_EQ(lines[0], ". d");
      EXPECT_EQ(lines[2], std::string(150, 'd') + "/f f");
      EXPECT_EQ(lines[3], "s l " + std::string(200, 'l'));
      EXPECT_EQ(lines[4], "z h " + std::string(150, 'd') + "/f");
    }
  }
}

TEST_F(Tar, NormalisingSortsClampsAndOrdersHardLinks) {
  {
    const core::Fd fd = create("in.tar");
    TarWriter writer(fd.get(), "in.tar");
    TarEntry file = entry_of(EntryType::kFile, "usr/z");
    file.mode = 0600;
    file.mtime = 5000;
    writer.add(file, "content");
    writer.add(entry_of(EntryType::kHardlink, "m/link", "usr/z"));
    writer.add(entry_of(EntryType::kHardlink, "a", "m/link"));
    writer.add(entry_of(EntryType::kFile, "usr-x"), "1");
    writer.add(entry_of(EntryType::kDirectory, "usr"));
    writer.add(entry_of(EntryType::kDirectory, "usr/empty"));
    TarEntry again = entry_of(EntryType::kDirectory, "usr/empty");
    again.mode = 0700;
    writer.add(again);
    writer.finish();
  }
  NormaliseOptions options;
  options.latest_mtime = 2000;
  const NormaliseResult result = normalise("in.tar", "out.tar", options);
  EXPECT_EQ(result.entries, 8U);
  EXPECT_EQ(result.content_bytes, 8U);
  EXPECT_THAT(listing("out.tar"),
              ElementsAre(". d", "a f", "m d", "m/link h a", "usr d", "usr/empty d", "usr/z h a", "usr-x f"));
  TarReader reader(folder_ / "out.tar", {});
  TarEntry entry;
  while (reader.next(entry)) {
    EXPECT_LE(entry.mtime, 2000);
    if (entry.path == "a") {
      EXPECT_EQ(entry.mode, 0600U);
      EXPECT_EQ(reader.read_text(), "content");
    }
    if (entry.path == "m") {
      EXPECT_EQ(entry.mode, 0755U);
      EXPECT_EQ(entry.mtime, 2000);
    }
    if (entry.path == "usr/empty") {
      EXPECT_EQ(entry.mode, 0700U);
    }
  }
}

TEST_F(Tar, DroppingKeepsTheOtherNamesOfAFile) {
  {
    const core::Fd fd = create("in.tar");
    TarWriter writer(fd.get(), "in.tar");
    writer.add(entry_of(EntryType::kDirectory, "tmp"));
    writer.add(entry_of(EntryType::kFile, "tmp/original"), "content");
    writer.add(entry_of(EntryType::kDirectory, "tmp/deep"));
    writer.add(entry_of(EntryType::kFile, "tmp/deep/x"), "y");
    writer.add(entry_of(EntryType::kHardlink, "keep", "tmp/original"));
    writer.finish();
  }
  NormaliseOptions options;
  options.latest_mtime = 2000;
  options.drop = [](const TarEntry& entry) { return entry.path == "tmp"; };
  normalise("in.tar", "out.tar", options);
  EXPECT_THAT(listing("out.tar"), ElementsAre(". d", "keep f"));
  EXPECT_EQ(run("tar", {"-xOf", "out.tar", "keep"}), "content");
}

TEST_F(Tar, NormalisingIsIndependentOfOrderAndIdempotent) {
  fs::create_directories(folder_ / "t/b");
  for (const char* name : {"t/b/1", "t/b-1", "t/a", "t/c"}) {
    const core::Fd file = create(name);
    core::write_all(file.get(), std::string(name), name);
  }
  fs::create_hard_link(folder_ / "t/a", folder_ / "t/b/link");
  run("tar", {"-cf", "one.tar", "-C", "t", "./c", "./b/link", "./b", "./a", "./b-1", "."});
  run("tar", {"--format=posix", "--sort=name", "-czf", "two.tar", "-C", "t", "."});
  fs::remove(folder_ / "one.tar");
  run("tar", {"--no-recursion", "-cf", "one.tar", "-C", "t", "./c", "./b/link", "./b", "./b/1", "./a",
              "./b-1", "."});
  NormaliseOptions options;
  options.latest_mtime = 1000;
  normalise("one.tar", "one.out", options);
  normalise("two.tar", "two.out", options);
  normalise("two.out", "three.out", options);
  const std::string first = core::read_text_file(folder_ / "one.out");
  EXPECT_EQ(first, core::read_text_file(folder_ / "two.out"));
  EXPECT_EQ(first, core::read_text_file(folder_ / "three.out"));
  EXPECT_THAT(listing("one.out"), ElementsAre(". d", "a f", "b d", "b/1 f", "b/link h a", "b-1 f", "c f"));
}

TEST_F(Tar, AFailedSourceLeavesNoSpool) {
  run("/usr/bin/python3", {"-c", "open('cut.tar','wb').write(b'')"});
  {
    const core::Fd fd = create("in.tar");
    TarWriter writer(fd.get(), "in.tar");
    writer.add(entry_of(EntryType::kFile, "f"), std::string(5000, 'x'));
    writer.finish();
  }
  fs::resize_file(folder_ / "in.tar", 3000);
  fs::create_directory(folder_ / "spool");
  TarReader reader(folder_ / "in.tar", {});
  const core::Fd target = create("out.tar");
  try {
    normalise_rootfs(reader, target.get(), folder_ / "spool", {});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kArchive);
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "spool"));
  EXPECT_EQ(core::file_size(target.get(), "out.tar"), 0U);
}

TEST_F(Tar, SixtyMegabytesTakeWellUnderASecond) {
  {
    const core::Fd fd = create("in.tar");
    TarWriter writer(fd.get(), "in.tar");
    const std::string content(20000, 'x');
    for (int i = 0; i < 3000; ++i) writer.add(entry_of(EntryType::kFile, "d/" + std::to_string(i)), content);
    writer.finish();
  }
  const auto begin = std::chrono::steady_clock::now();
  normalise("in.tar", "out.tar", {});
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  RecordProperty("milliseconds", static_cast<int>(took.count()));
  EXPECT_LT(took.count(), 3000);  // generous: test machines are busy
}

TEST_F(Tar, ReadsAlpineMiniRootfs) {
  const fs::path file = alpine_material() / "data/releases/alpine-minirootfs-3.20.3-x86_64.tar.gz";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is missing (set IMGFORGE_TEST_ALPINE)";
  TarReader reader(file, {});
  const core::Fd target = create("out.tar");
  NormaliseOptions options;
  options.latest_mtime = 1700000000;
  const NormaliseResult result = normalise_rootfs(reader, target.get(), folder_.path(), options);
  EXPECT_GT(result.entries, 50U);
  const std::string first = run("tar", {"-tf", "out.tar"});
  EXPECT_NE(first.find("./\n"), std::string::npos);
  EXPECT_NE(first.find("\netc/alpine-release\n"), std::string::npos);
}

}  // namespace
}  // namespace imgforge::artifacts
