// What is believed of files that were hashed before: by whom, for how long, and what makes it void.
#include "artifacts/blobs/digest_memory.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/blobs/incoming_file.hpp"
#include "support/open_watch.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace testing_support;

constexpr std::int64_t kSecond = 1'000'000'000;

class Memory : public ::testing::Test {
 protected:
  /// A cache as a process of its own sees it.
  BlobStore open(Earlier earlier = Earlier::kBelieve) const {
    return BlobStore(folder_ / "blobs", std::make_unique<DigestMemory>(file_, earlier));
  }
  /// What a build leaves: one blob and what it remembers of it.
  VerifiedFile remembered(std::string_view content, Durability durability = Durability::kSynced) const {
    BlobStore store = open();
    write(store.staging() / "x", content);
    VerifiedFile blob = store.adopt(store.staging() / "x", {}, durability);
    store.memory().save();
    return blob;
  }
  /// Whether the next process finds the blob without opening it.
  bool is_believed(const VerifiedFile& blob, Earlier earlier = Earlier::kBelieve) const {
    BlobStore next = open(earlier);
    imgforge::testing::OpenWatch watch(folder_ / "blobs/sha256");
    const bool found = next.find_again(blob.digest()).has_value();
    return watch.opened().empty() && found;
  }
  std::string text() const { return core::read_text_file(file_); }
  /// Replaces the rows; the digest above them is right.
  void write_rows(const std::string& rows) const {
    write(file_, "imgforge-digests 1 " + sha256_of(rows).hex() + "\n" + rows);
    fs::permissions(file_, fs::perms::owner_read | fs::perms::owner_write);
  }
  std::string rows() const { return text().substr(text().find('\n') + 1); }
  static std::string row(const fs::path& file, const core::Digest& sha256) {
    const FileIdentity id = *identity_of(file);
    std::string text = sha256.hex();
    for (const std::uint64_t number : {id.device, id.inode, id.size}) text += " " + std::to_string(number);
    for (const std::int64_t number : {id.modified, id.changed}) text += " " + std::to_string(number);
    return text + " - " + file.native() + "\n";
  }
  static void set_modified(const fs::path& file, std::int64_t time) {
    const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, timespec{time / kSecond, time % kSecond}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times.data(), 0), 0);
  }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-memory"};
  fs::path file_ = folder_ / "digests";
};

TEST_F(Memory, TheNextProcessOpensNothingThatIsKnown) {
  const VerifiedFile blob = remembered("hello");
  EXPECT_TRUE(is_believed(blob));
  BlobStore next = open();
  imgforge::testing::OpenWatch watch(folder_ / "blobs/sha256");
  EXPECT_TRUE(next.find(blob.digest()));
  EXPECT_THAT(watch.opened(), Contains(blob.path())) << "who wants it hashed gets that";
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(Memory, ADownloadIsRememberedLikewise) {
  BlobStore store = open();
  IncomingFile file(core::open_file(store.staging() / "x", O_RDWR | O_CREAT), store.staging() / "x");
  file.write(0, core::as_bytes("hello"));
  file.finish(5);
  const VerifiedFile blob = store.adopt(file);
  store.memory().save();
  EXPECT_TRUE(is_believed(blob));
}

TEST_F(Memory, EveryChangeOfAFileMakesItVoid) {
  struct Change {
    const char* name;
    std::function<void(const fs::path&)> make;
    bool is_sound;  ///< the bytes are as before
  };
  const auto overwrite = [](const fs::path& file, std::string_view text) {
    const core::Fd fd = core::open_file(file, O_WRONLY);
    core::write_all(fd.get(), text, file.native());
  };
  const auto keeping_times = [&](const fs::path& file, std::string_view text) {
    const std::int64_t before = identity_of(file)->modified;
    overwrite(file, text);
    set_modified(file, before);
  };
  const Change changes[] = {
      {"cut", [](const fs::path& file) { ASSERT_EQ(::truncate(file.c_str(), 3), 0); }, false},
      {"overwritten", [&](const fs::path& file) { overwrite(file, "hellx"); }, false},
      {"overwritten, time restored", [&](const fs::path& file) { keeping_times(file, "hellx"); }, false},
      {"replaced",
       [&](const fs::path& file) {
         const std::int64_t before = identity_of(file)->modified;
         write(folder_ / "other", "hellx");
         set_modified(folder_ / "other", before);
         fs::rename(folder_ / "other", file);
       },
       false},
      {"touched", [](const fs::path& file) { set_modified(file, 0); }, true},
      {"mode", [](const fs::path& file) { ASSERT_EQ(::chmod(file.c_str(), 0400), 0); }, true},
  };
  for (const Change& change : changes) {
    SCOPED_TRACE(change.name);
    const VerifiedFile blob = remembered("hello");
    fs::permissions(blob.path(), fs::perms::owner_write, fs::perm_options::add);
    {
      BlobStore again = open();
      const FileIdentity now = *identity_of(blob.path());
      again.memory().remember({blob.path(), now_seen(now), now, blob.digest(), true, true});
      again.memory().save();
    }
    ASSERT_TRUE(is_believed(blob));
    change.make(blob.path());
    EXPECT_FALSE(is_believed(blob));
    EXPECT_EQ(fs::exists(blob.path()), change.is_sound);
    fs::remove(blob.path());
  }
}

// A write in the tick of the clock in which the file was hashed leaves the time of that tick. Without seal
// the file system would give both the same time, and a kernel with coarse times does.
TEST_F(Memory, AWriteRightAfterAFileWasAdoptedShows) {
  for (int i = 0; i < 50; ++i) {
    BlobStore store = open();
    const fs::path file = store.staging() / "x";
    write(file, "hello " + std::to_string(i));
    const core::Fd late = core::open_file(file, O_RDWR);
    const VerifiedFile blob = store.adopt(file);
    const FileIdentity before = *identity_of(blob.path());
    ASSERT_EQ(::pwrite(late.get(), "j", 1, 0), 1);
    EXPECT_NE(identity_of(blob.path())->modified, before.modified);
    EXPECT_FALSE(store.find_again(blob.digest()));
  }
}

TEST_F(Memory, AFileThatChangedWhileItWasHashedIsNotRemembered) {
  write(folder_ / "file", "hello");
  DigestMemory memory(file_, Earlier::kBelieve);
  const FileIdentity after = *identity_of(folder_ / "file");
  FileIdentity other_file = after;
  ++other_file.inode;
  FileIdentity grown = after;
  ++grown.size;
  FileIdentity renamed = after;
  ++renamed.changed;
  for (const FileIdentity& before : {other_file, grown, renamed}) {
    memory.remember({folder_ / "file", now_seen(before), after, sha256_of("hello"), false, true});
    EXPECT_FALSE(memory.recall(after));
  }
}

TEST_F(Memory, OthersGetToKnowOnlyWhatWasSettled) {
  write(folder_ / "file", "hello");
  set_modified(folder_ / "file", identity_of(folder_ / "file")->changed - 9 * kSecond);
  const FileIdentity file = *identity_of(folder_ / "file");
  const auto known_after = [&](std::int64_t nanoseconds) {
    fs::remove(file_);
    DigestMemory memory(file_, Earlier::kBelieve);
    memory.remember(
        {folder_ / "file", {file, file.changed + nanoseconds}, file, sha256_of("hello"), false, true});
    EXPECT_TRUE(memory.recall(file)) << "this process knows";
    memory.save();
    return DigestMemory(file_, Earlier::kBelieve).recall(file).has_value();
  };
  EXPECT_FALSE(known_after(-5 * kSecond)) << "the clock was set back";
  EXPECT_FALSE(known_after(0));
  EXPECT_FALSE(known_after(19 * kSecond / 10));
  EXPECT_TRUE(known_after(21 * kSecond / 10));
}

TEST_F(Memory, AFreshFileThatNobodySealedIsHashedAgain) {
  const VerifiedFile blob = remembered("hello");
  fs::remove(blob.path());
  write(blob.path(), "hello");
  BlobStore second = open();
  EXPECT_TRUE(second.find_again(blob.digest()));
  second.memory().save();
  EXPECT_FALSE(is_believed(blob));
}

TEST_F(Memory, FilesOfOthersAreHashedOnceByEachProcess) {
  fs::create_directory(folder_ / "others");
  const fs::path file = folder_ / "others/file";
  write(file, "hello");
  set_modified(file, 0);
  for (int process = 0; process < 2; ++process) {
    DigestMemory memory(file_, Earlier::kBelieve);
    imgforge::testing::OpenWatch watch(folder_ / "others");
    EXPECT_EQ(memory.digest_of_foreign(file), sha256_of("hello"));
    EXPECT_THAT(watch.opened(), Contains(file));
    EXPECT_EQ(memory.digest_of_foreign(file), sha256_of("hello"));
    EXPECT_THAT(watch.opened(), IsEmpty());
    memory.save();
  }
  DigestMemory memory;
  memory.digest_of_foreign(file);
  write(file, "jello");
  EXPECT_EQ(memory.digest_of_foreign(file), sha256_of("jello"));
  fs::create_symlink(file, folder_ / "link");
  EXPECT_EQ(memory.digest_of_foreign(folder_ / "link"), sha256_of("jello"));
}

TEST_F(Memory, ALieIsBelievedByWhoeverDoesNotHashAndByNobodyElse) {
  const VerifiedFile blob = remembered("hello");
  fs::remove(blob.path());
  write(blob.path(), "lies!");
  write_rows(row(blob.path(), blob.digest()));
  EXPECT_TRUE(is_believed(blob));
  EXPECT_TRUE(open().find_again(blob.digest()));
  EXPECT_FALSE(BlobStore(folder_ / "blobs").find_again(blob.digest())) << "without a memory";
  write(blob.path(), "lies!");
  write_rows(row(blob.path(), blob.digest()));
  EXPECT_FALSE(open(Earlier::kForget).find_again(blob.digest()));
  write(blob.path(), "lies!");
  write_rows(row(blob.path(), blob.digest()));
  EXPECT_FALSE(open().find(blob.digest()));
}

TEST_F(Memory, WhoForgetsLeavesOnlyWhatHeHashedHimself) {
  const VerifiedFile old = remembered("old");
  const VerifiedFile blob = remembered("hello");
  BlobStore store = open(Earlier::kForget);
  write(store.staging() / "x", "new");
  const VerifiedFile fresh = store.adopt(store.staging() / "x");
  store.memory().save();
  EXPECT_TRUE(is_believed(fresh));
  EXPECT_FALSE(is_believed(old));
  EXPECT_FALSE(is_believed(blob));
  open(Earlier::kForget).memory().save();
  EXPECT_EQ(rows(), "");
}

TEST_F(Memory, WhatIsDamagedCountsAsAbsent) {
  const VerifiedFile blob = remembered("hello");
  const FileIdentity file = *identity_of(blob.path());
  const std::string whole = text();
  const auto recalled = [&](const std::string& damaged) {
    write(file_, damaged);
    fs::permissions(file_, fs::perms::owner_read | fs::perms::owner_write);
    return DigestMemory(file_, Earlier::kBelieve).recall(file).has_value();
  };
  ASSERT_TRUE(recalled(whole));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_FALSE(recalled(whole.substr(0, i))) << i;
    std::string flipped = whole;
    flipped[i] ^= 1;
    EXPECT_FALSE(recalled(flipped)) << i;
  }
  EXPECT_FALSE(recalled(whole + "x\n"));
  for (const char* row : {"\n", "no digest\n", "x 1 2 3 4 5 - /a\n"}) {
    write_rows(row + rows());
    EXPECT_FALSE(DigestMemory(file_, Earlier::kBelieve).recall(file)) << row;
    write(file_, whole);
  }
}

TEST_F(Memory, WhatOthersMayWriteOrIsNoFileCountsAsAbsent) {
  const VerifiedFile blob = remembered("hello");
  ASSERT_EQ(::chmod(file_.c_str(), 0620), 0);
  EXPECT_FALSE(is_believed(blob));
  ASSERT_EQ(::chmod(file_.c_str(), 0600), 0);
  EXPECT_TRUE(is_believed(blob));
  fs::rename(file_, folder_ / "elsewhere");
  fs::create_symlink(folder_ / "elsewhere", file_);
  EXPECT_FALSE(is_believed(blob));
  fs::remove(file_);
  fs::create_directory(file_);
  EXPECT_FALSE(is_believed(blob));
  remembered("that cannot be written");
  fs::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_FALSE(is_believed(blob));
}

TEST_F(Memory, WhatNobodySyncedIsBelievedUntilTheMachineRestarts) {
  const VerifiedFile blob = remembered("hello", Durability::kRemade);
  EXPECT_TRUE(is_believed(blob));
  const std::string boot(core::read_text_file("/proc/sys/kernel/random/boot_id", 100).substr(0, 36));
  std::string changed = rows();
  ASSERT_THAT(changed, HasSubstr(" " + boot + " "));
  changed.replace(changed.find(boot), 36, std::string(36, '0'));
  write_rows(changed);
  EXPECT_FALSE(is_believed(blob));
  EXPECT_THAT(row(remembered("synced").path(), sha256_of("synced")), HasSubstr(" - "));
}

TEST_F(Memory, WhatIsGoneOrOtherIsDroppedWhenSomethingIsAdded) {
  const VerifiedFile gone = remembered("gone");
  const VerifiedFile touched = remembered("touched");
  const VerifiedFile kept = remembered("kept");
  fs::remove(gone.path());
  set_modified(touched.path(), 0);
  remembered("new");
  EXPECT_THAT(rows(), Not(HasSubstr(gone.path().native())));
  EXPECT_THAT(rows(), Not(HasSubstr(touched.path().native())));
  EXPECT_TRUE(is_believed(kept));
}

TEST_F(Memory, NothingIsWrittenWithoutNews) {
  remembered("hello");
  const FileIdentity before = *identity_of(file_);
  BlobStore next = open();
  EXPECT_TRUE(next.find_again(sha256_of("hello")));
  next.memory().save();
  EXPECT_EQ(identity_of(file_), before);
}

TEST_F(Memory, SeveralProcessesAddToEachOther) {
  std::vector<std::jthread> threads;
  for (int who = 0; who < 8; ++who) {
    threads.emplace_back([this, who] {
      for (int i = 0; i < 5; ++i) {
        DigestMemory memory(file_, Earlier::kBelieve);
        const fs::path file = folder_ / ("file" + std::to_string(who) + "." + std::to_string(i));
        write(file, file.native());
        seal(core::open_file(file, O_RDONLY).get());
        const FileIdentity identity = *identity_of(file);
        memory.remember({file, now_seen(identity), identity, sha256_of(file.native()), true, true});
        memory.save();
      }
    });
  }
  threads.clear();
  const DigestMemory memory(file_, Earlier::kBelieve);
  for (int who = 0; who < 8; ++who) {
    for (int i = 0; i < 5; ++i) {
      const fs::path file = folder_ / ("file" + std::to_string(who) + "." + std::to_string(i));
      EXPECT_EQ(memory.recall(*identity_of(file)), sha256_of(file.native()));
    }
  }
}

}  // namespace
}  // namespace imgforge::artifacts
