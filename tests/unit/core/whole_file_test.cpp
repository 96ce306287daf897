#include "core/whole_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::core {
namespace {

namespace fs = std::filesystem;

class WholeFileTest : public ::testing::Test {
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

TEST_F(WholeFileTest, HolesAreZeros) {
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

TEST_F(WholeFileTest, SmallAndEmptyFiles) {
  EXPECT_EQ(whole(sparse(0, {}, "")), "");
  EXPECT_EQ(whole(sparse(5, {0}, "bytes")), "bytes");
  EXPECT_EQ(whole(sparse(1, {}, "")), std::string(1, '\0'));
}

TEST_F(WholeFileTest, BeginsAtTheBeginningWhereverTheDescriptorIs) {
  const fs::path path = sparse(5, {0}, "bytes");
  const Fd fd = open_regular(path);
  ASSERT_EQ(::lseek(fd.get(), 3, SEEK_SET), 3);
  EXPECT_EQ(read_whole(fd.get(), path.native(), [](std::span<const std::byte>) {}), 5U);
}

TEST_F(WholeFileTest, WhatCannotBeReadIsNamed) {
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
