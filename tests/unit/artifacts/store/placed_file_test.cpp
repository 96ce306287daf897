// Foreign files of the store: placed once, hashed when found again, left alone by publishing.
#include "artifacts/store/placed_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using testing::HasSubstr;
using namespace testing_support;

class PlacedFileTest : public StoreTest {
 protected:
  PlacedFile place(std::string_view content) {
    const VerifiedFile file = blobs_.put(content);
    return place_file(Store::create(out_), "isos", "alpine-base-3.22.2-x86_64.iso", file, {});
  }
  void refused(std::string_view content, const std::string& says) {
    const std::string before = listing();
    try {
      place(content);
      ADD_FAILURE() << "no error";
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kStore);
      EXPECT_THAT(error.message(), HasSubstr(says));
    }
    EXPECT_EQ(listing(), before);
    EXPECT_TRUE(staging_is_empty());
  }
  BlobStore blobs_{folder_ / "blobs"};
  const fs::path file_ = out_ / "isos/alpine-base-3.22.2-x86_64.iso";
};

TEST_F(PlacedFileTest, AppearsOnceAndIsHashedWhenItIsThere) {
  EXPECT_EQ(place("image").outcome, PlaceOutcome::kPlaced);
  EXPECT_EQ(core::read_text_file(file_), "image");
  EXPECT_TRUE(staging_is_empty());
  EXPECT_EQ(place("image").outcome, PlaceOutcome::kThere);
  write(file_, "imagf");
  refused("image", "in the way: expected sha256:");
  EXPECT_EQ(core::read_text_file(file_), "imagf");
}

TEST_F(PlacedFileTest, WhatIsNoFileIsInTheWay) {
  Store::create(out_);
  fs::create_directories(out_ / "isos");
  write(folder_ / "elsewhere", "image");
  fs::create_symlink(folder_ / "elsewhere", file_);
  refused("image", "it is not a file");
  fs::remove(file_);
  fs::create_directory(file_);
  refused("image", "it is not a file");
}

TEST_F(PlacedFileTest, PublishingNeitherMindsNorRemovesIt) {
  place("image");
  publish("one");
  publish("two");
  EXPECT_EQ(core::read_text_file(file_), "image");
  EXPECT_TRUE(fs::is_symlink(out_ / "isos/hello-minimal.iso"));
  EXPECT_EQ(place("image").outcome, PlaceOutcome::kThere);
  EXPECT_TRUE(verify_release(out_ / "releases/hello-minimal/current", strict_options()).ok());
}

}  // namespace
}  // namespace imgforge::artifacts
