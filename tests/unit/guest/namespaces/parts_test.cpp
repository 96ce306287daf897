// The parts of a sandbox of namespaces that need none: ranges of ids, messages, work on trees.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <thread>

#include "builder/guest/namespaces/common/id_map.hpp"
#include "builder/guest/namespaces/common/message.hpp"
#include "builder/guest/namespaces/common/owners.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
#include "builder/guest/namespaces/common/tree.hpp"
#include "builder/guest/namespaces/inside/disk_watch.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest::test {
namespace {

TEST(SubordinateRange, IsTheUsersByNameOrNumberAndLargeEnough) {
  constexpr std::string_view kText =
      "root:1:65536\nada:100000:1000\nada:200000:65536\n1001:300000:65535\nbad\n";
  EXPECT_EQ(subordinate_range(kText, "ada", 1000, 65535), 200000U);
  EXPECT_EQ(subordinate_range(kText, "ada", 1000, 1000), 100000U);
  EXPECT_EQ(subordinate_range(kText, "eve", 1001, 65535), 300000U);
  EXPECT_EQ(subordinate_range(kText, "eve", 1001, 65536), std::nullopt);
  EXPECT_EQ(subordinate_range(kText, "bad", 1002, 1), std::nullopt);
  EXPECT_EQ(
      subordinate_range("ada:-1:65536\nada:1:x\nada:99999999999:65536\nada:1:65536:2\n", "ada", 1000, 1),
      std::nullopt);
}

TEST(MapsRange, KnowsWhatAContainerHas) {
  EXPECT_TRUE(maps_range("         0          0 4294967295\n", 524288, 65536));
  EXPECT_TRUE(maps_range("0 100000 65536\n", 0, 65536));
  EXPECT_FALSE(maps_range("0 100000 65536\n", 1, 65536));
  EXPECT_FALSE(maps_range("0 1000 1\n1 100000 65535\n", 0, 65536));
  EXPECT_FALSE(maps_range("", 0, 1));
  EXPECT_FALSE(maps_range("garbage", 0, 1));
}

class RememberedOwners : public testing::Test {
 protected:
  std::filesystem::path make(const char* name) const {
    std::ofstream(folder_ / name) << name;
    return folder_ / name;
  }
  bool record(const std::filesystem::path& file, std::uint32_t uid, std::uint32_t gid) {
    const core::Fd fd(::open(file.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    return owners_.record(fd.get(), uid, gid);
  }
  std::optional<Owner> find(const std::filesystem::path& file) const {
    return owners_.find(AT_FDCWD, file.c_str());
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-owners"};
  Owners owners_;
};

TEST_F(RememberedOwners, AreThoseThatChownSets) {
  const std::filesystem::path file = make("file");
  EXPECT_EQ(find(file), std::nullopt);
  EXPECT_TRUE(record(file, 5, Owners::kUnchanged));
  EXPECT_EQ(find(file), (Owner{5, 0}));
  EXPECT_TRUE(record(file, Owners::kUnchanged, 6));
  EXPECT_TRUE(record(file, Owners::kUnchanged, Owners::kUnchanged));
  EXPECT_EQ(find(file), (Owner{5, 6}));
  EXPECT_TRUE(record(file, 0, 0));
  EXPECT_TRUE(owners_.empty());
}

TEST_F(RememberedOwners, BelongToInodesAndNotToNames) {
  const std::filesystem::path file = make("file");
  std::filesystem::create_hard_link(file, folder_ / "other");
  std::filesystem::create_symlink("file", folder_ / "link");
  EXPECT_TRUE(record(file, 5, 6));
  EXPECT_TRUE(record(folder_ / "link", 7, 8));
  EXPECT_EQ(find(folder_ / "other"), (Owner{5, 6}));
  EXPECT_EQ(find(folder_ / "link"), (Owner{7, 8}));
  const core::Fd folder(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(owners_.find(folder.get(), "other"), (Owner{5, 6}));
  EXPECT_EQ(owners_.find(folder.get(), ""), std::nullopt);
  std::filesystem::rename(file, folder_ / "renamed");
  make("file");
  EXPECT_EQ(find(file), std::nullopt);
  EXPECT_EQ(find(folder_ / "renamed"), (Owner{5, 6}));
}

/// File systems give a number of an inode again at once, within a tick of their clocks.
TEST_F(RememberedOwners, GoWithTheFile) {
  for (int i = 0; i < 1000; ++i) {
    const std::filesystem::path file = make("file");
    ASSERT_TRUE(record(file, 5, 6));
    std::filesystem::remove(file);
    ASSERT_EQ(find(make("file")), std::nullopt) << i;
    std::filesystem::remove(file);
  }
}

class Messages : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  void TearDown() override {
    for (const int end : ends_) ::close(end);
  }
  std::array<int, 2> ends_{};
};

TEST_F(Messages, ArriveWithBytesOfAnyKindAndADescriptor) {
  const std::string large(3 << 20, '\xff');
  std::thread sender([&] {
    send_message(ends_[0], {"", std::string("a\0b\n", 4), large}, ends_[0]);
    send_message(ends_[0], {"next"});
  });
  const std::optional<Message> first = receive_message(ends_[1]);
  const std::optional<Message> second = receive_message(ends_[1]);
  sender.join();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->fields, (std::vector<std::string>{"", std::string("a\0b\n", 4), large}));
  EXPECT_TRUE(first->fd);
  EXPECT_EQ(second->fields, std::vector<std::string>{"next"});
  EXPECT_FALSE(second->fd);
  EXPECT_THROW(second->field(1), core::Error);
}

TEST_F(Messages, CarryErrorsWhole) {
  core::Error error(core::Kind::kUnsafe, "what");
  error.hint("hint").quote("quote").context("inner").context("outer");
  send_message(ends_[0], error_answer(error));
  const std::optional<Message> answer = receive_message(ends_[1]);
  ASSERT_TRUE(answer && is_error(*answer));
  const core::Error same = error_of(*answer);
  EXPECT_EQ(same.kind(), error.kind());
  EXPECT_EQ(same.message(), "what");
  EXPECT_EQ(same.hint(), "hint");
  EXPECT_EQ(same.quote(), "quote");
  EXPECT_EQ(same.contexts(), error.contexts());
}

TEST_F(Messages, ThatAreCutOrEndlessAreNoMessages) {
  const std::uint64_t size = std::uint64_t{1} << 40;
  ASSERT_EQ(::write(ends_[0], &size, sizeof size), 8);
  EXPECT_THROW(receive_message(ends_[1]), core::Error);
  ASSERT_EQ(::write(ends_[0], "abc", 3), 3);
  ::shutdown(ends_[0], SHUT_WR);
  EXPECT_FALSE(receive_message(ends_[1]));
  ::shutdown(ends_[1], SHUT_RDWR);
  EXPECT_THROW(send_message(ends_[0], {"x"}), core::Error);
}

TEST(Steps, EachHasANameAndAMend) {
  for (int i = 0; i < static_cast<int>(Step::kShell); ++i) {
    const StepFailure failure{static_cast<Step>(i), EPERM};
    EXPECT_FALSE(step_name(failure.step).empty());
    EXPECT_FALSE(mend_of(failure).empty()) << step_name(failure.step);
    EXPECT_EQ(error_of(failure).kind(), core::Kind::kMachine);
  }
}

class Tree : public testing::Test {
 protected:
  core::Fd open() const { return core::open_file(folder_.path(), O_RDONLY | O_DIRECTORY); }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-tree"};
};

TEST_F(Tree, IsEmptiedHoweverDeep) {
  core::Fd at = open();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = core::Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ASSERT_EQ(::symlinkat("/etc", at.get(), "link"), 0);
  EXPECT_THROW(measure(open().get()), core::Error);
  empty_folder(open().get());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  EXPECT_TRUE(std::filesystem::exists("/etc"));
}

TEST_F(Tree, IsMeasuredWithLinksCountedOnce) {
  std::ofstream(folder_ / "file") << std::string(1 << 20, 'x') << std::flush;
  const Usage one = measure(open().get());
  std::filesystem::create_hard_link(folder_ / "file", folder_ / "other");
  const Usage two = measure(open().get());
  EXPECT_GE(one.bytes.value, 1U << 20);
  EXPECT_EQ(two.bytes.value, one.bytes.value);
  EXPECT_EQ(two.files, one.files + 1);
}

TEST_F(Tree, IsFullWhenItTakesMoreThanItsSize) {
  DiskWatch watch(folder_.path(), core::mib(1));
  EXPECT_FALSE(watch.check());
  std::ofstream(folder_ / "file") << std::string(3 << 20, 'x') << std::flush;
  const std::optional<core::Error> error = watch.check();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), core::Kind::kImage);
  std::filesystem::remove(folder_ / "file");
  EXPECT_FALSE(watch.check());
}

}  // namespace
}  // namespace imgforge::guest::test
