#include "core/new_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::core {
namespace {

namespace fs = std::filesystem;

/// Files of this process end at so many bytes.
class FullAfter {
 public:
  explicit FullAfter(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullAfter() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  FullAfter(const FullAfter&) = delete;
  FullAfter& operator=(const FullAfter&) = delete;

 private:
  rlimit before_{};
};

class NewFileTest : public ::testing::Test {
 protected:
  fs::path path(const char* name = "file") const { return folder_ / name; }
  bool there(const char* name = "file") const { return fs::exists(fs::symlink_status(path(name))); }
  struct stat status() const {
    struct stat found {};
    EXPECT_EQ(::stat(path().c_str(), &found), 0);
    return found;
  }
  template <class Body>
  Error error_of(Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "no error was thrown";
    return Error(Kind::kInternal, "");
  }

  TempDir folder_{fs::temp_directory_path(), "imgforge-new-file"};
};

TEST_F(NewFileTest, CommitKeepsTheFile) {
  {
    NewFile file(path(), 0600);
    file.write("one ");
    file.write("two");
    EXPECT_EQ(file.size(), 7u);
    file.commit(Sync::kYes);
    EXPECT_LT(file.fd(), 0);
  }
  EXPECT_EQ(read_text_file(path()), "one two");
  EXPECT_EQ(status().st_mode & 07777u, 0600u);
}

TEST_F(NewFileTest, WithoutCommitNothingStays) {
  {
    NewFile file(path());
    file.write("half");
    EXPECT_TRUE(there());
  }
  EXPECT_FALSE(there());
  {
    NewFile file(path());
    file.close();  // whole, but nobody said that it may stay
  }
  EXPECT_FALSE(there());
  const auto fail = [&] {
    NewFile file(path());
    file.write("half");
    throw std::runtime_error("something else went wrong");
  };
  EXPECT_THROW(fail(), std::runtime_error);
  EXPECT_FALSE(there());
}

TEST_F(NewFileTest, ATakenNameIsRefusedAndUntouched) {
  write_new_file(path(), "mine");
  fs::create_symlink("nowhere", path("link"));
  fs::create_directory(path("folder"));
  EXPECT_EQ(error_of([&] { NewFile file(path()); }).kind(), Kind::kIo);
  EXPECT_EQ(error_of([&] { write_new_file(path(), "other"); }).kind(), Kind::kIo);
  EXPECT_EQ(error_of([&] { NewFile file(path("link")); }).kind(), Kind::kIo);
  EXPECT_EQ(error_of([&] { NewFile file(path("folder")); }).kind(), Kind::kIo);
  EXPECT_EQ(read_text_file(path()), "mine");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_FALSE(there("nowhere"));
  EXPECT_TRUE(fs::is_directory(path("folder")));
}

TEST_F(NewFileTest, AFullDiskLeavesNothing) {
  const FullAfter full(1000);
  EXPECT_EQ(error_of([&] { write_new_file(path(), std::string(1001, 'x')); }).kind(), Kind::kNoSpace);
  EXPECT_FALSE(there());
  EXPECT_EQ(error_of([&] {
              NewFile file(path());
              file.resize(1001);
              file.commit();
            }).kind(),
            Kind::kNoSpace);
  EXPECT_FALSE(there());
  // The hole at the end is asked for last.
  const std::vector<std::byte> zeros(4096);
  EXPECT_EQ(error_of([&] {
              NewFile file(path());
              file.write_sparse(zeros);
              file.commit();
            }).kind(),
            Kind::kNoSpace);
  EXPECT_FALSE(there());
  write_new_file(path(), std::string(1000, 'x'));
  EXPECT_TRUE(there());
}

TEST_F(NewFileTest, ACopyThatFailsLeavesNothing) {
  write_new_file(path("source"), std::string(5000, 'x'));
  const FullAfter full(1000);
  EXPECT_THROW(clone_file(path("source"), path()), Error);
  EXPECT_FALSE(there());
}

TEST_F(NewFileTest, ZerosBecomeHoles) {
  std::vector<std::byte> content(1 << 20);
  content[100] = std::byte{1};
  {
    NewFile file(path());
    file.write_sparse(content);
    file.write_sparse(std::span(content).subspan(1000, 5));  // zeros at the end, shorter than a block
    EXPECT_EQ(file.size(), content.size() + 5);
    file.commit(Sync::kYes);
  }
  EXPECT_EQ(status().st_size, (1 << 20) + 5);
  EXPECT_LT(status().st_blocks * 512, 1 << 16);
  const std::string read = read_text_file(path(), 2 << 20);
  EXPECT_EQ(read[100], '\1');
  EXPECT_EQ(std::count(read.begin(), read.end(), '\0'), (1 << 20) + 4);
}

TEST_F(NewFileTest, TheModeIsExactWhenAskedFor) {
  const mode_t before = ::umask(077);
  {
    NewFile file(path(), 0644);
    EXPECT_EQ(status().st_mode & 07777u, 0600u);
    file.set_mode(0444);
    file.commit();
  }
  ::umask(before);
  EXPECT_EQ(status().st_mode & 07777u, 0444u);
}

TEST_F(NewFileTest, AnUnfinishedFileGoesUnlessItIsKept) {
  {
    const UnfinishedFile file(path());
    write_new_file(file.path(), "of another program");
  }
  EXPECT_FALSE(there());
  {
    UnfinishedFile file(path());
    write_new_file(file.path(), "of another program");
    file.keep();
  }
  EXPECT_TRUE(there());
  const UnfinishedFile never(path("never-made"));
}

}  // namespace
}  // namespace imgforge::core
