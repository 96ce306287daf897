#include "artifacts/blobs/incoming_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "artifacts/blobs/blob_store.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::HashAlgorithm;

TEST(ByteRangesTest, JoinsWhatTouches) {
  ByteRanges ranges;
  ranges.add({10, 20});
  ranges.add({30, 40});
  EXPECT_EQ(ranges.frontier(), 0u);
  ranges.add({20, 30});
  EXPECT_EQ(ranges.list(), (std::vector<ByteRange>{{10, 40}}));
  ranges.add({0, 10});
  ranges.add({5, 6});
  ranges.add({50, 50});
  EXPECT_EQ(ranges.list(), (std::vector<ByteRange>{{0, 40}}));
  EXPECT_EQ(ranges.frontier(), 40u);
  EXPECT_EQ(ranges.total(), 40u);
}

TEST(ByteRangesTest, RemovesAndFindsGaps) {
  ByteRanges ranges;
  ranges.add({0, 100});
  ranges.remove({10, 20});
  ranges.remove({90, 200});
  EXPECT_EQ(ranges.list(), (std::vector<ByteRange>{{0, 10}, {20, 90}}));
  EXPECT_EQ(ranges.gaps(100), (std::vector<ByteRange>{{10, 20}, {90, 100}}));
  EXPECT_EQ(ranges.gaps(15), (std::vector<ByteRange>{{10, 15}}));
  EXPECT_TRUE(ranges.gaps(5).empty());
  EXPECT_TRUE(ranges.covers({20, 90}));
  EXPECT_TRUE(ranges.covers({15, 15}));
  EXPECT_FALSE(ranges.covers({5, 25}));
  EXPECT_EQ(ByteRanges().gaps(3), (std::vector<ByteRange>{{0, 3}}));
}

class IncomingFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (std::size_t i = 0; i < kSize; ++i) text_ += static_cast<char>((i * i) >> 7);
  }
  core::Fd open(const std::string& name) { return core::open_file(folder_ / name, O_RDWR | O_CREAT, 0600); }
  void write(IncomingFile& file, std::size_t begin, std::size_t end) {
    file.write(begin, core::as_bytes(std::string_view(text_).substr(begin, end - begin)));
  }
  core::Digest expected(HashAlgorithm algorithm = HashAlgorithm::kSha256) const {
    return core::digest_of(algorithm, text_);
  }

  static constexpr std::size_t kSize = 12 << 20;  // beyond the size from which a thread hashes
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-incoming"};
  std::string text_;
};

TEST_F(IncomingFileTest, HashesWhatComesInOrder) {
  IncomingFile file(open("a"), folder_ / "a", {HashAlgorithm::kSha512});
  for (std::size_t at = 0; at < kSize; at += 100'000) write(file, at, std::min(kSize, at + 100'000));
  file.finish(kSize);
  EXPECT_EQ(file.digest(), expected());
  EXPECT_EQ(file.digest(HashAlgorithm::kSha512), expected(HashAlgorithm::kSha512));
  EXPECT_THROW(file.digest(HashAlgorithm::kSha1), core::Error);
}

TEST_F(IncomingFileTest, HashesWhatComesInAnyOrder) {
  IncomingFile file(open("a"), folder_ / "a");
  write(file, 8 << 20, kSize);
  write(file, 0, 1000);
  write(file, 5 << 20, 8 << 20);
  write(file, 1000, 5 << 20);
  file.finish(kSize);
  EXPECT_EQ(file.digest(), expected());
}

TEST_F(IncomingFileTest, DroppedBytesAreHashedAgain) {
  IncomingFile file(open("a"), folder_ / "a");
  write(file, 0, kSize);
  file.write(1 << 20, core::as_bytes("wrong"));
  file.finish(kSize);
  EXPECT_NE(file.digest(), expected());
  file.drop({1 << 20, 2 << 20});
  EXPECT_EQ(file.total(), kSize - (1 << 20));
  EXPECT_THROW(file.finish(kSize), core::Error) << "there is a hole";
  write(file, 1 << 20, 2 << 20);
  file.finish(kSize);
  EXPECT_EQ(file.digest(), expected());
}

TEST_F(IncomingFileTest, GoesOnWithWhatIsThere) {
  {
    IncomingFile file(open("a"), folder_ / "a");
    write(file, 0, 5 << 20);
  }
  IncomingFile file(open("a"), folder_ / "a");
  ByteRanges there;
  there.add({0, 5 << 20});
  file.keep(there);
  write(file, 5 << 20, kSize);
  file.write(kSize, core::as_bytes("too much"));
  file.finish(kSize);
  EXPECT_EQ(file.digest(), expected());
  EXPECT_EQ(std::filesystem::file_size(folder_ / "a"), kSize);
}

TEST_F(IncomingFileTest, BeginsAnew) {
  IncomingFile file(open("a"), folder_ / "a");
  file.write(0, core::as_bytes("something else"));
  file.restart();
  EXPECT_EQ(file.total(), 0u);
  write(file, 0, kSize);
  file.finish(kSize);
  EXPECT_EQ(file.digest(), expected());
}

TEST_F(IncomingFileTest, DurableIsWhatWasSynced) {
  IncomingFile file(open("a"), folder_ / "a");
  write(file, 0, 1000);
  EXPECT_TRUE(file.durable().empty());
  file.sync();
  write(file, 1000, 2000);
  EXPECT_EQ(file.durable().list(), (std::vector<ByteRange>{{0, 1000}}));
}

TEST_F(IncomingFileTest, ChunksAreHashedBesideTheWhole) {
  IncomingFile file(open("a"), folder_ / "a");
  file.want_chunks(5 << 20, 1e12);
  write(file, 6 << 20, kSize);
  write(file, 0, 6 << 20);
  file.finish(kSize);
  ASSERT_EQ(file.chunks().size(), 3u);
  const std::string_view text = text_;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(file.chunks()[i], core::digest_of(HashAlgorithm::kSha256, text.substr(i * (5 << 20), 5 << 20)));
  }
}

TEST_F(IncomingFileTest, ChunksAreGivenUpWhenBytesComeFast) {
  IncomingFile file(open("a"), folder_ / "a");
  file.want_chunks(5 << 20, 1.0);
  write(file, 0, 6 << 20);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  write(file, 6 << 20, kSize);
  file.finish(kSize);
  EXPECT_TRUE(file.chunks().empty());
  EXPECT_EQ(file.digest(), expected());
}

TEST_F(IncomingFileTest, TheStoreTakesItOnItsDigest) {
  BlobStore blobs(folder_ / "blobs");
  IncomingFile file(open("a"), folder_ / "a");
  write(file, 0, kSize);
  EXPECT_THROW(blobs.adopt(file), core::Error) << "it is not finished";
  file.finish(kSize);
  const VerifiedFile blob = blobs.adopt(file);
  EXPECT_EQ(blob.digest(), expected());
  EXPECT_EQ(blob.size(), kSize);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a"));
  ASSERT_TRUE(blobs.find(expected()).has_value());
  EXPECT_FALSE(blobs.quarantined(expected()).has_value());
  std::filesystem::permissions(blob.path(), std::filesystem::perms::owner_all);
  core::open_file(blob.path(), O_WRONLY | O_TRUNC);
  EXPECT_FALSE(blobs.find(expected()).has_value());
  EXPECT_TRUE(blobs.quarantined(expected()).has_value());
}

}  // namespace
}  // namespace imgforge::artifacts
