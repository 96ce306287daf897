// The content-addressed cache and zstd files.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifacts/blobs/blob_store.hpp"
#include "artifacts/codec/compression.hpp"
#include "core/process.hpp"
#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using testing::HasSubstr;
using namespace testing_support;

template <class Body>
void expect_error(Kind kind, Body&& body) {
  try {
    body();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.message();
  }
}

class Blobs : public testing::Test {
 protected:
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-blobs"};
  BlobStore store_{folder_ / "blobs"};
};

TEST_F(Blobs, PutAndFind) {
  const VerifiedFile blob = store_.put("hello");
  EXPECT_EQ(blob.digest(), sha256_of("hello"));
  EXPECT_EQ(blob.size(), 5U);
  const std::string hex = blob.digest().hex();
  EXPECT_EQ(blob.path(), folder_ / "blobs" / "sha256" / hex.substr(0, 2) / hex.substr(2));
  EXPECT_EQ(core::read_text_file(blob.path()), "hello");
  struct stat status {};
  ASSERT_EQ(::stat(blob.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0444U);
  EXPECT_TRUE(store_.find(blob.digest()));
  EXPECT_TRUE(store_.find_again(blob.digest()));
  EXPECT_FALSE(store_.find(sha256_of("other")));
  EXPECT_EQ(store_.put("hello").path(), blob.path());
  EXPECT_TRUE(fs::is_empty(store_.staging()));
}

TEST_F(Blobs, RottenBlobsAreSetAside) {
  for (const bool again : {false, true}) {
    const VerifiedFile blob = store_.put("hello");
    write(blob.path(), "hellx");  // same size
    EXPECT_FALSE(again ? store_.find_again(blob.digest()) : store_.find(blob.digest()));
    EXPECT_FALSE(fs::exists(blob.path()));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "blobs/quarantine"), fs::directory_iterator()), 2);
}

TEST_F(Blobs, WhatIsNoFileIsRefused) {
  const VerifiedFile blob = store_.put("hello");
  const auto attempt = [&] {
    expect_error(Kind::kStore, [&] { store_.find(blob.digest()); });
    expect_error(Kind::kStore, [&] { store_.find_again(blob.digest()); });
    expect_error(Kind::kStore, [&] { store_.put("hello"); });
    EXPECT_TRUE(fs::is_empty(store_.staging()));
    fs::remove(blob.path());
  };
  fs::rename(blob.path(), folder_ / "elsewhere");
  fs::create_symlink(folder_ / "elsewhere", blob.path());
  attempt();
  fs::create_directory(blob.path());
  attempt();
  ASSERT_EQ(::mkfifo(blob.path().c_str(), 0600), 0);
  attempt();
}

TEST_F(Blobs, AdoptChecksWhatWasPromised) {
  const fs::path file = store_.staging() / "x";
  write(file, "content");
  expect_error(Kind::kIntegrity, [&] { store_.adopt(file, sha256_of("other")); });
  EXPECT_EQ(core::read_text_file(file), "content");
  EXPECT_FALSE(store_.find(sha256_of("content")));
  EXPECT_EQ(store_.adopt(file, sha256_of("content")).size(), 7U);
  EXPECT_FALSE(fs::exists(file));
}

class Zstd : public testing::Test {
 protected:
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-zstd"};
  fs::path raw_ = folder_ / "raw";
  fs::path packed_ = folder_ / "raw.zst";
  fs::path back_ = folder_ / "back";

  void SetUp() override {
    std::string text;
    for (int i = 0; i < 200000; ++i) text += std::to_string(i * 7919) + " ";
    text += std::string(5 << 20, '\0') + "end";
    write(raw_, text);
  }
  core::ProcessResult run(std::vector<std::string> args) {
    core::Command command;
    command.program = "zstd";
    command.args = std::move(args);
    command.directory = folder_.path();
    return core::system_processes().run(command, {});
  }
};

TEST_F(Zstd, RoundTripIsDeterministicSparseAndReadByTheTool) {
  const std::uint64_t size = compress_zstd(raw_, packed_, 6);
  EXPECT_EQ(size, fs::file_size(packed_));
  compress_zstd(raw_, folder_ / "second.zst", 6);
  EXPECT_EQ(core::read_text_file(packed_, 1 << 24), core::read_text_file(folder_ / "second.zst", 1 << 24));
  EXPECT_EQ(run({"-q", "-t", "raw.zst"}).exit_code, 0);
  EXPECT_THAT(run({"-lv", "raw.zst"}).out, HasSubstr("XXH64"));
  EXPECT_EQ(decompress_zstd(packed_, back_, core::mib(100)), fs::file_size(raw_));
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, back_),
            core::digest_of_file(core::HashAlgorithm::kSha256, raw_));
  struct stat status {};
  ASSERT_EQ(::stat(back_.c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, status.st_size - (4 << 20)) << "zeros should be holes";
  EXPECT_EQ(test_zstd(packed_, core::mib(100)), fs::file_size(raw_));
}

TEST_F(Zstd, EmptyFiles) {
  write(raw_, "");
  compress_zstd(raw_, packed_, 3);
  EXPECT_EQ(decompress_zstd(packed_, back_, core::mib(1)), 0U);
  EXPECT_EQ(fs::file_size(back_), 0U);
}

TEST_F(Zstd, DamageIsRefusedAndLeavesNothing) {
  compress_zstd(raw_, packed_, 3);
  const std::string good = core::read_text_file(packed_, 1 << 24);
  const auto attempt = [&](Kind kind, const std::string& bytes, core::Bytes limit = core::mib(100)) {
    write(packed_, bytes);
    expect_error(kind, [&] { decompress_zstd(packed_, back_, limit); });
    EXPECT_FALSE(fs::exists(back_));
    expect_error(kind, [&] { test_zstd(packed_, limit); });
  };
  attempt(Kind::kArchive, "");
  attempt(Kind::kArchive, "not zstd at all");
  attempt(Kind::kArchive, good.substr(0, good.size() - 1));
  attempt(Kind::kArchive, good.substr(0, good.size() / 2));
  attempt(Kind::kArchive, good + "x");
  attempt(Kind::kArchive, good + good);
  std::string flipped = good;
  flipped[good.size() / 2] = static_cast<char>(flipped[good.size() / 2] ^ 1);
  attempt(Kind::kArchive, flipped);
  attempt(Kind::kUnsafe, good, core::mib(1));
  core::Command command;
  command.program = "zstd";
  command.args = {"-q", "--ultra", "--long=31", "-1", "-c"};
  command.input = "x";
  command.output_file = folder_ / "window.zst";
  core::system_processes().check(command, {});
  attempt(Kind::kUnsafe, core::read_text_file(folder_ / "window.zst", 1 << 24));
}

TEST_F(Zstd, ExistingTargetsAndOddSourcesAreRefused) {
  write(packed_, "mine");
  expect_error(Kind::kIo, [&] { compress_zstd(raw_, packed_, 3); });
  EXPECT_EQ(core::read_text_file(packed_), "mine");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  expect_error(Kind::kIo, [&] { compress_zstd(folder_ / "fifo", back_, 3); });
  EXPECT_FALSE(fs::exists(back_));
  core::CancelToken cancel;
  cancel.cancel();
  expect_error(Kind::kInterrupted, [&] { compress_zstd(raw_, back_, 3, LongMode::kOn, cancel); });
  EXPECT_FALSE(fs::exists(back_));
}

}  // namespace
}  // namespace imgforge::artifacts
