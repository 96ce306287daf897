// Hostile, damaged and odd archives from independent programs (make_archives.py, gzip, xz, zstd, bzip2): each
// has to be refused with its class, or to be read as meant. Nothing outside may change.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "support/source_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Archives : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path outside = folder_ / "outside";
    fs::create_directories(outside / "out");
    fs::permissions(outside / "out", fs::perms::owner_all);
    const core::Fd fd = core::open_file(outside / "victim", O_WRONLY | O_CREAT, 0600);
    core::write_all(fd.get(), std::string_view("precious"), "victim");
    fs::create_directories(folder_ / "made");
  }
  /// Has a group of archives made.
  void make(const std::string& group) {
    core::Command command;
    command.program = "/usr/bin/python3";
    command.args = {(source_dir() / "tests/attack/artifacts/tar/make_archives.py").native(),
                    (folder_ / "outside").native(), group};
    command.directory = folder_ / "made";
    core::system_processes().check(command, {});
  }

  void TearDown() override {
    const fs::path outside = folder_ / "outside";
    struct stat status {};
    ASSERT_EQ(::stat((outside / "out").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0700U);
    EXPECT_TRUE(fs::is_empty(outside / "out"));
    ASSERT_EQ(::stat((outside / "victim").c_str(), &status), 0);
    EXPECT_EQ(status.st_nlink, 1U);
    EXPECT_EQ(core::read_text_file(outside / "victim"), "precious");
  }

  fs::path made(const std::string& name) const { return folder_ / "made" / name; }

  struct Member {
    TarEntry entry;
    std::string content;
  };
  static std::vector<Member> read_all(TarReader reader) {
    std::vector<Member> members;
    TarEntry entry;
    while (reader.next(entry)) members.push_back({entry, reader.read_text(1 << 22)});
    EXPECT_FALSE(reader.next(entry)) << "the end has to stay the end";
    return members;
  }
  std::vector<Member> read_all(const std::string& name, const TarPolicy& policy = {}) {
    return read_all(TarReader(made(name), policy));
  }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-archives"};
};

struct Refusal {
  const char* file;
  Kind kind;
  const char* says;
};

void expect_refusal(const Refusal& refusal, const std::function<void()>& body) {
  SCOPED_TRACE(refusal.file);
  try {
    body();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), refusal.kind) << error.message();
    EXPECT_THAT(error.message(), HasSubstr(refusal.says));
    EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
  }
}

TEST_F(Archives, EscapesAreUnsafe) {
  make("escapes");
  for (const Refusal& refusal : {
           Refusal{"dotdot.tar", Kind::kUnsafe, "\"a/../../out/dd\""},
           Refusal{"absolute.tar", Kind::kUnsafe, "absolute name"},
           Refusal{"symlink-outside.tar", Kind::kUnsafe, "leads to no folder of the archive"},
           Refusal{"symlink-up.tar", Kind::kUnsafe, "leads out of the archive"},
           Refusal{"symlink-loop.tar", Kind::kUnsafe, "symlink"},
           Refusal{"hard-absolute.tar", Kind::kUnsafe, "hard link to an absolute name"},
           Refusal{"hard-dotdot.tar", Kind::kUnsafe, "\"../victim\""},
           Refusal{"hard-missing.tar", Kind::kUnsafe, "no file stored before"},
           Refusal{"hard-symlink.tar", Kind::kUnsafe, "no file stored before"},
           Refusal{"hard-folder.tar", Kind::kUnsafe, "no file stored before"},
           Refusal{"symlink-chmod.tar", Kind::kArchive, "duplicate entry \"lnk\""},
           Refusal{"file-over-symlink.tar", Kind::kArchive, "duplicate entry \"f\""},
           Refusal{"below-file.tar", Kind::kArchive, "is not a folder"},
           Refusal{"duplicate.tar", Kind::kArchive, "duplicate entry \"dup\""},
           Refusal{"file-over-implied-folder.tar", Kind::kArchive, "duplicate entry \"d\""},
       }) {
    expect_refusal(refusal, [&] { read_all(refusal.file); });
  }
}

TEST_F(Archives, UsrMergeIsFollowedInside) {
  make("escapes");
  const std::vector<Member> members = read_all("usrmerge.tar");
  ASSERT_EQ(members.size(), 8U);
  EXPECT_EQ(members[3].entry.path, "usr/lib/a.so");
  EXPECT_EQ(members[3].content, "x");
  EXPECT_EQ(members[4].entry.link_target, "/bin/busybox");
  EXPECT_EQ(members[6].entry.path, "usr/lib/b.so");
  EXPECT_EQ(members[7].entry.link_target, "usr/lib/a.so");
}

TEST_F(Archives, FoldersMayComeTwiceAndNamesDifferInCase) {
  make("escapes");
  EXPECT_EQ(read_all("twice-folder.tar").size(), 2U);
  EXPECT_EQ(read_all("case-pair.tar").size(), 2U);
}

TEST_F(Archives, ImpossibleNames) {
  make("names");
  for (const Refusal& refusal : {
           Refusal{"name-empty.tar", Kind::kArchive, "empty name"},
           Refusal{"name-double.tar", Kind::kArchive, "empty component"},
           Refusal{"name-dot.tar", Kind::kArchive, "empty component"},
           Refusal{"name-long.tar", Kind::kArchive, "longer than 255"},
           Refusal{"name-dotdot-only.tar", Kind::kUnsafe, ".."},
           Refusal{"name-folder-name-on-file.tar", Kind::kArchive, "name of a folder"},
           Refusal{"name-deep.tar", Kind::kUnsafe, "nested deeper than 128"},
           Refusal{"name-nul.tar", Kind::kArchive, "NUL"},
       }) {
    expect_refusal(refusal, [&] { read_all(refusal.file); });
  }
}

TEST_F(Archives, OddNamesKeepTheirBytes) {
  make("names");
  const std::vector<Member> members = read_all("name-odd.tar");
  ASSERT_EQ(members.size(), 6U);
  EXPECT_EQ(members[0].entry.path, "a\nb\x1b[31mred");
  EXPECT_EQ(members[1].entry.path, "-rf");
  EXPECT_EQ(members[2].entry.path, std::string(255, 'z'));
  EXPECT_EQ(members[3].entry.path, "r\u00e9sum\u00e9 e\u0301");  // not composed to NFC
  EXPECT_EQ(members[4].entry.path, "dot");
  EXPECT_EQ(members[5].entry.path, ".");
  EXPECT_EQ(members[5].entry.mode, 0750U);
  EXPECT_EQ(read_all("name-latin.tar").at(0).entry.path, "n\xff\xfe");
}

TEST_F(Archives, ImpossibleHeaders) {
  make("oddities");
  for (const Refusal& refusal : {
           Refusal{"size-differs.tar", Kind::kArchive, "two different sizes"},
           Refusal{"pax-huge-size.tar", Kind::kUnsafe, "budget"},
           Refusal{"pax-negative-size.tar", Kind::kArchive, "negative size"},
           Refusal{"pax-text-size.tar", Kind::kArchive, "not a number"},
           Refusal{"pax-sparse.tar", Kind::kUnsafe, "sparse"},
           Refusal{"pax-malformed.tar", Kind::kArchive, "malformed pax"},
           Refusal{"sparse.tar", Kind::kUnsafe, "sparse"},
           Refusal{"uid-huge.tar", Kind::kArchive, "user id"},
           Refusal{"mode-unknown.tar", Kind::kArchive, "mode"},
           Refusal{"size-octal.tar", Kind::kArchive, "octal"},
           Refusal{"size-negative.tar", Kind::kArchive, "negative size"},
           Refusal{"type-unknown.tar", Kind::kArchive, "unknown member type 'Q'"},
           Refusal{"folder-with-content.tar", Kind::kArchive, "content in a member"},
           Refusal{"global-path.tar", Kind::kArchive, "global pax header with path"},
       }) {
    expect_refusal(refusal, [&] { read_all(refusal.file); });
  }
}

TEST_F(Archives, UnusualButMeaningfulHeaders) {
  make("oddities");
  EXPECT_EQ(read_all("uid.tar").at(0).entry.uid, 2147483648U);
  EXPECT_EQ(read_all("time-negative.tar").at(0).entry.mtime, -1);
  EXPECT_EQ(read_all("time-huge.tar").at(0).entry.mtime, 31556926000000000);
  EXPECT_EQ(read_all("mode-bits.tar").at(0).entry.mode, 0755U);
  EXPECT_EQ(read_all("setuid.tar").at(0).entry.mode, 04755U);
  EXPECT_EQ(read_all("xattrs.tar").at(0).entry.xattrs.at("user.k"), "v=1\n");
  EXPECT_EQ(read_all("global-comment.tar").size(), 1U);
  EXPECT_EQ(read_all("only-folders.tar").size(), 2U);
  EXPECT_EQ(read_all("zero-entries.tar").size(), 0U);
}

TEST_F(Archives, DevicesOnlyWhereAllowed) {
  make("oddities");
  for (const char* file : {"devices.tar", "fifo.tar"}) {
    expect_refusal({file, Kind::kUnsafe, "not allowed"}, [&] { read_all(file); });
  }
  TarPolicy policy;
  policy.devices = Devices::kAllow;
  const std::vector<Member> members = read_all("devices.tar", policy);
  ASSERT_EQ(members.size(), 4U);
  EXPECT_EQ(members[1].entry.type, EntryType::kBlockDevice);
  EXPECT_EQ(members[1].entry.device_major, 8U);
  EXPECT_EQ(members[2].entry.device_minor, 3U);
  EXPECT_EQ(members[3].entry.type, EntryType::kFifo);
}

TEST_F(Archives, Budgets) {
  make("oddities");
  make("ends");
  TarPolicy policy;
  policy.entries = 2000;
  expect_refusal({"many.tar", Kind::kUnsafe, "more than 2000 members"},
                 [&] { read_all("many.tar", policy); });
  EXPECT_EQ(read_all("many.tar").size(), 3000U);
  policy.total = core::kib(300);
  expect_refusal({"good.tar", Kind::kUnsafe, "budget of 300K"}, [&] { read_all("good.tar", policy); });
}

TEST_F(Archives, EndsThatAreNotWhole) {
  make("ends");
  for (const Refusal& refusal : {
           Refusal{"cut-in-file.tar", Kind::kArchive, "truncated at byte 250000"},
           Refusal{"cut-at-entry.tar", Kind::kArchive, "truncated"},
           Refusal{"cut-after-all.tar", Kind::kArchive, "truncated"},
           Refusal{"cut-in-header.tar", Kind::kArchive, "truncated"},
           Refusal{"one-zero-block.tar", Kind::kArchive, "truncated"},
           Refusal{"bad-checksum.tar", Kind::kArchive, "checksum"},
           Refusal{"garbage-after.tar", Kind::kArchive, "data after end of archive"},
           Refusal{"garbage-in-padding.tar", Kind::kArchive, "data after end of archive"},
           Refusal{"second-archive.tar", Kind::kArchive, "data after end of archive"},
           Refusal{"crc.tar.gz", Kind::kArchive, "gzip checksum"},
           Refusal{"isize.tar.gz", Kind::kArchive, "gzip checksum"},
           Refusal{"empty-member.tar.gz", Kind::kArchive, "gzip checksum"},
           Refusal{"twice.tar.gz", Kind::kArchive, "more than once"},
       }) {
    expect_refusal(refusal, [&] { read_all(refusal.file); });
  }
}

TEST_F(Archives, DamageUnderEachCompression) {
  make("ends");
  for (const char* extension : {".gz", ".xz", ".zst", ".bz2"}) {
    EXPECT_EQ(read_all(std::string("good.tar") + extension).size(), 2U) << extension;
    for (const char* damage :
         {"garbage-after", "cut", "cut-half", "second-member", "cut-at-entry", "flipped"}) {
      const std::string file = std::string(damage) + ".tar" + extension;
      expect_refusal({file.c_str(), Kind::kArchive, ""}, [&] { read_all(file); });
    }
  }
}

TEST_F(Archives, EveryCutOfACompressedArchiveIsSeen) {
  make("ends");
  const std::string whole = core::read_text_file(made("good.tar.gz"), 1 << 22);
  for (std::size_t cut = 1; cut < 40; ++cut) {
    const fs::path file = made("cut-now.tar.gz");
    fs::remove(file);
    const core::Fd fd = core::open_file(file, O_WRONLY | O_CREAT | O_EXCL);
    core::write_all(fd.get(), std::string_view(whole).substr(0, whole.size() - cut), "cut");
    expect_refusal({"cut-now.tar.gz", Kind::kArchive, ""}, [&] { read_all("cut-now.tar.gz"); });
  }
}

TEST_F(Archives, BombsAndGreedyDecoders) {
  make("greedy");
  const auto begin = std::chrono::steady_clock::now();
  expect_refusal({"bomb.tar.zst", Kind::kUnsafe, "decompression bomb"}, [&] {
    TarReader reader(made("bomb.tar.zst"), {});
    TarEntry entry;
    while (reader.next(entry)) {
    }
  });
  expect_refusal({"window.tar.zst", Kind::kUnsafe, "memory"}, [&] { read_all("window.tar.zst"); });
  expect_refusal({"dictionary.tar.xz", Kind::kUnsafe, "memory"}, [&] { read_all("dictionary.tar.xz"); });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Archives, OtherFormatsAreNotTar) {
  make("others");
  make("oddities");
  for (const char* file : {"zip.tar", "cpio.tar", "mtree.tar", "xar.tar", "sevenzip.tar", "lz4.tar",
                           "text.tar.gz", "empty.tar"}) {
    expect_refusal({file, Kind::kArchive, "not a tar archive"}, [&] { read_all(file); });
  }
  expect_refusal({"tiny.tar", Kind::kArchive, "truncated"}, [&] { read_all("tiny.tar"); });
}

TEST_F(Archives, FifosAndFoldersDoNotHangTheReader) {
  ASSERT_EQ(::mkfifo(made("fifo").c_str(), 0600), 0);
  EXPECT_THROW(TarReader(made("fifo"), {}), Error);
  EXPECT_THROW(TarReader(made("."), {}), Error);
}

/// Feeds a file's first bytes through a pipe, as a guest export would that dies.
class Pipe {
 public:
  explicit Pipe(std::string data) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::bad_alloc();
    from = core::Fd(ends[0]);
    writer_ = std::thread([to = core::Fd(ends[1]), text = std::move(data)]() mutable {
      try {
        core::write_all(to.get(), text, "pipe");
      } catch (const Error&) {
        // The reader gave up.
      }
    });
  }
  ~Pipe() {
    from.reset();
    writer_.join();
  }
  core::Fd from;

 private:
  std::thread writer_;
};

TEST_F(Archives, PipesAreReadAndTheirCutsSeen) {
  make("ends");
  ::signal(SIGPIPE, SIG_IGN);
  for (const char* file : {"good.tar", "good.tar.gz", "good.tar.zst"}) {
    const std::string whole = core::read_text_file(made(file), 1 << 22);
    {
      const Pipe pipe(whole);
      EXPECT_EQ(read_all(TarReader(pipe.from.get(), "guest", {})).size(), 2U) << file;
    }
    const Pipe pipe(whole.substr(0, whole.size() - 11000));
    expect_refusal({file, Kind::kArchive, ""}, [&] { read_all(TarReader(pipe.from.get(), "guest", {})); });
  }
}

}  // namespace
}  // namespace imgforge::artifacts
