#include "builder/guest/namespaces/inside/disk_watch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "core/atomic_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

/// A file whose blocks are taken, as soon as it is there.
void fill(const std::filesystem::path& file, std::size_t megabytes) {
  std::string text(megabytes * kMegabyte, 'x');
  core::write_file_atomically(file, text);
}

TEST(DiskWatch, SaysNothingWhileTheFolderIsBelowItsSize) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-watch");
  DiskWatch watch(folder.path(), core::mib(8));
  fill(folder / "some", 4);
  EXPECT_FALSE(watch.check(DiskWatch::Measure::kAlways));
  EXPECT_FALSE(watch.check());
}

TEST(DiskWatch, WhatOthersRemoveHidesNothingFromWhoMeasures) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-watch");
  std::filesystem::create_directory(folder / "root");
  fill(folder / "of-others", 64);
  DiskWatch watch(folder / "root", core::mib(8));
  fill(folder / "root/big", 16);
  std::filesystem::remove(folder / "of-others");
  const auto full = watch.check(DiskWatch::Measure::kAlways);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->kind(), core::Kind::kImage);
  EXPECT_EQ(full->message(), "the root file system of 8M is full");
  // Once it was full it is measured until it is not.
  EXPECT_TRUE(watch.check());
  std::filesystem::remove(folder / "root/big");
  EXPECT_FALSE(watch.check());
  EXPECT_FALSE(watch.check(DiskWatch::Measure::kAlways));
}

}  // namespace
}  // namespace imgforge::guest
