// Partition tables that ask for memory: each header says how large its array is, and a sparse disk has room
// for any.
#include "builder/image/disk/gpt.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::image {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint64_t kSize = std::uint64_t{4} << 30;
constexpr std::uint64_t kLast = kSize / kSector - 1;

class HostileGpt : public ::testing::Test {
 protected:
  void SetUp() override {
    fd_ = core::open_file(disk_, O_RDWR | O_CREAT, 0600);
    ASSERT_EQ(::ftruncate(fd_.get(), kSize), 0);
    write_gpt(disk_, "11111111-2222-3333-4444-555555555555",
              {{"root", kRootX86Type, "22222222-2222-3333-4444-555555555555", 1 << 20, 1 << 20}}, "");
  }
  std::string read(std::uint64_t sector) {
    std::string bytes(kSector, '\0');
    EXPECT_EQ(::pread(fd_.get(), bytes.data(), kSector, static_cast<off_t>(sector * kSector)),
              static_cast<ssize_t>(kSector));
    return bytes;
  }
  void write(std::uint64_t sector, const std::string& bytes) {
    EXPECT_EQ(::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(sector * kSector)),
              static_cast<ssize_t>(bytes.size()));
  }
  static void put(std::string& header, std::size_t at, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) header[at + i] = static_cast<char>(value >> (8 * i));
  }
  /// A good header whose array has so many entries of so many bytes.
  static std::string with_array(std::string header, std::uint32_t entries, std::uint32_t size) {
    put(header, 80, entries, 4);
    put(header, 84, size, 4);
    return sealed(std::move(header));
  }
  static std::string sealed(std::string header) {
    put(header, 16, 0, 4);
    put(header, 16, ::crc32(0, reinterpret_cast<const Bytef*>(header.data()), 92), 4);
    return header;
  }
  void expect_refused(const std::string& why = "has room for too many partitions") {
    try {
      read_gpt(disk_);
      ADD_FAILURE() << "it was taken";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kImage);
      EXPECT_NE(error.message().find(why), std::string::npos) << error.message();
    }
  }
  const core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-hostile-gpt"};
  const std::filesystem::path disk_ = folder_ / "disk";
  core::Fd fd_;
};

TEST_F(HostileGpt, AWholeOneIsRead) {
  EXPECT_EQ(read_gpt(disk_).partitions.size(), 1u);
}

/// Half of a UTF-16 pair: names are told in JSON, which takes nothing but UTF-8.
TEST_F(HostileGpt, ANameThatIsNoText) {
  std::string entries(128 * 128, '\0');
  ASSERT_EQ(::pread(fd_.get(), entries.data(), entries.size(), 2 * kSector), 128 * 128);
  put(entries, 56, 0xD800, 2);
  write(2, entries);
  std::string first = read(1);
  put(first, 88, ::crc32(0, reinterpret_cast<const Bytef*>(entries.data()), 128 * 128), 4);
  write(1, sealed(first));
  expect_refused("the name of a partition is no text");
}

/// A disk whose firmware would need the second copy is not as it was made, though it can be read.
TEST_F(HostileGpt, OneDamagedCopyOfTwoIsToldByTheCheck) {
  EXPECT_EQ(check_gpt(disk_), 1u);
  for (const std::uint64_t sector : {std::uint64_t{1}, std::uint64_t{2}, kLast - 32, kLast}) {
    const std::string before = read(sector);
    for (const std::size_t at : {std::size_t{0}, std::size_t{60}}) {
      std::string bytes = before;
      bytes[at] ^= 1;
      write(sector, bytes);
      EXPECT_THROW(check_gpt(disk_), core::Error) << sector << " " << at;
    }
    write(sector, before);
  }
  EXPECT_EQ(check_gpt(disk_), 1u);
}

TEST_F(HostileGpt, TheFirstHeader) {
  write(1, with_array(read(1), 1 << 24, 128));
  expect_refused();
  write(1, with_array(read(1), 0xFFFFFFFF, 0xFFFFFFFF));
  expect_refused();
  write(1, with_array(read(1), 1, 1 << 31));
  expect_refused();
}

TEST_F(HostileGpt, TheLastHeaderWhenTheFirstIsGone) {
  write(1, std::string(kSector, '\0'));
  write(kLast, with_array(read(kLast), 1 << 24, 128));
  expect_refused();
}

TEST_F(HostileGpt, TheOtherHeaderWhereverTheFirstSaysItIs) {
  std::string first = read(1);
  write(4096, with_array(read(kLast), 1 << 24, 128));
  put(first, 32, 4096, 8);
  write(1, sealed(first));
  expect_refused();
}

}  // namespace
}  // namespace imgforge::image
