#include "core/file_bytes.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::core {
namespace {

namespace fs = std::filesystem;

class FileBytesTest : public ::testing::Test {
 protected:
  /// A file of that size with `text` at each of these places, and holes between them.
  fs::path sparse(std::uint64_t size, const std::vector<std::uint64_t>& places, std::string_view text) const {
    const fs::path path = folder_ / "sparse";
    const Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
    for (const std::uint64_t place : places) {
      EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), static_cast<off_t>(place)),
                static_cast<ssize_t>(text.size()));
    }
    EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(size)), 0);
    return path;
  }

  static std::string whole(const fs::path& path) {
    std::string text;
    const Fd fd = open_regular(path);
    const std::uint64_t size = read_whole(fd.get(), path.native(), [&](std::span<const std::byte> block) {
      EXPECT_FALSE(block.empty());
      EXPECT_LE(block.size(), 256U << 10);
      text.append(reinterpret_cast<const char*>(block.data()), block.size());
    });
    EXPECT_EQ(size, text.size());
    return text;
  }

  TempDir folder_{fs::temp_directory_path(), "whole"};
};

TEST_F(FileBytesTest, HolesAreZeros) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const std::vector<std::vector<std::uint64_t>> layouts{
      {}, {0}, {3 * kMiB}, {0, kMiB + 17, 2 * kMiB}, {4 * kMiB - 5}};
  for (const std::vector<std::uint64_t>& places : layouts) {
    std::string expected(4 * kMiB, '\0');
    for (const std::uint64_t place : places) expected.replace(place, 5, "bytes");
    const fs::path path = sparse(4 * kMiB, places, "bytes");
    EXPECT_TRUE(whole(path) == expected) << places.size();
    EXPECT_EQ(digest_of_file(HashAlgorithm::kSha256, path), digest_of(HashAlgorithm::kSha256, expected));
  }
}

TEST_F(FileBytesTest, RangesAreCutWhereTheFileEnds) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const fs::path path = sparse(4 * kMiB, {kMiB, 3 * kMiB + 1}, "bytes");
  const Fd fd = open_regular(path);
  const auto text_of = [&](std::uint64_t offset, std::uint64_t size) {
    std::string text;
    const std::uint64_t n = read_range(fd.get(), "it", offset, size, [&](std::span<const std::byte> block) {
      text.append(reinterpret_cast<const char*>(block.data()), block.size());
    });
    EXPECT_EQ(n, text.size());
    return text;
  };
  EXPECT_EQ(text_of(kMiB - 1, 7), std::string("\0bytes\0", 7));
  EXPECT_EQ(text_of(4 * kMiB - 3, 99), std::string(3, '\0'));
  EXPECT_EQ(text_of(5 * kMiB, 3), "");
  EXPECT_EQ(text_of(UINT64_MAX - 1, UINT64_MAX), "");
  EXPECT_TRUE(text_of(0, UINT64_MAX) == whole(path));
  std::string buffer(8, 'x');
  EXPECT_EQ(read_at(fd.get(), "it", 4 * kMiB - 3, std::as_writable_bytes(std::span(buffer))), 3U);
}

TEST_F(FileBytesTest, RunsOfDataLeaveHolesOut) {
  constexpr std::uint64_t kMiB = 1 << 20;
  const fs::path path = sparse(std::uint64_t{1} << 40, {kMiB, 3 * kMiB}, "bytes");
  const Fd fd = open_regular(path);
  std::uint64_t bytes = 0;
  std::string starts;
  for (auto run = next_data(fd.get(), "it", 0); run; run = next_data(fd.get(), "it", run->end)) {
    starts += std::to_string(run->begin) + " ";
    bytes += run->size();
  }
  EXPECT_EQ(starts, "1048576 3145728 ");
  EXPECT_LE(bytes, 64U << 10);
  EXPECT_EQ(next_data(fd.get(), "it", kMiB + 2, kMiB + 4)->size(), 2U) << "cut on both sides";
  EXPECT_FALSE(next_data(fd.get(), "it", 4 * kMiB, 5 * kMiB));
  EXPECT_FALSE(next_data(fd.get(), "it", std::uint64_t{1} << 41));
}

TEST_F(FileBytesTest, ASignalEndsItAlsoInAHole) {
  const fs::path path = sparse(std::uint64_t{1} << 40, {}, "");
  const Fd fd = open_regular(path);
  const CancelToken token = CancelToken::from_signals();
  std::uint64_t seen = 0;
  try {
    read_whole(fd.get(), "it", [&](std::span<const std::byte> block) {
      seen += block.size();
      token.cancel();
    });
    ADD_FAILURE() << "a TiB was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kInterrupted);
  }
  token.cancel(0);
  EXPECT_LE(seen, 256U << 10);
}

TEST_F(FileBytesTest, SmallAndEmptyFiles) {
  EXPECT_EQ(whole(sparse(0, {}, "")), "");
  EXPECT_EQ(whole(sparse(5, {0}, "bytes")), "bytes");
  EXPECT_EQ(whole(sparse(1, {}, "")), std::string(1, '\0'));
}

TEST_F(FileBytesTest, BeginsAtTheBeginningWhereverTheDescriptorIs) {
  const fs::path path = sparse(5, {0}, "bytes");
  const Fd fd = open_regular(path);
  ASSERT_EQ(::lseek(fd.get(), 3, SEEK_SET), 3);
  EXPECT_EQ(read_whole(fd.get(), path.native(), [](std::span<const std::byte>) {}), 5U);
}

TEST_F(FileBytesTest, WhatCannotBeReadIsNamed) {
  const Fd fd = open_file(folder_.path(), O_RDONLY | O_DIRECTORY);
  try {
    read_whole(fd.get(), "the folder", [](std::span<const std::byte>) {});
    FAIL() << "a folder was read";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("the folder"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace imgforge::core
