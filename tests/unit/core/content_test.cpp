// Bytes that are needed later: small ones are kept, large ones have to stay in their file.
#include "core/content.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::core {
namespace {

using ::testing::HasSubstr;

std::string all_of(const Content& content) {
  std::string out;
  content.read([&](std::span<const std::byte> data) {
    out.append(reinterpret_cast<const char*>(data.data()), data.size());
  });
  return out;
}

class ContentTest : public ::testing::Test {
 protected:
  Content of(const std::string& text) {
    write(text);
    return Content::of_file(file_);
  }
  void write(const std::string& text) { std::ofstream(file_, std::ios::binary) << text; }
  std::string refusal(const Content& content) {
    try {
      all_of(content);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Kind::kIo);
      return error.message();
    }
    return "none";
  }

  TempDir folder_{std::filesystem::temp_directory_path(), "content"};
  std::filesystem::path file_ = folder_ / "source";
};

TEST_F(ContentTest, SmallFilesAreKept) {
  const Content content = of("text\n");
  write("another");
  ASSERT_NE(content.text(), nullptr);
  EXPECT_EQ(*content.text(), "text\n");
  EXPECT_EQ(all_of(content), "text\n");
  EXPECT_EQ(content.size(), 5U);
  EXPECT_EQ(content.sha256(), digest_of(HashAlgorithm::kSha256, std::string_view("text\n")));
}

TEST_F(ContentTest, LargeFilesStayWhereTheyAre) {
  const std::string large(3 << 20, 'x');
  const Content content = of(large);
  EXPECT_EQ(content.text(), nullptr);
  EXPECT_EQ(content.size(), large.size());
  EXPECT_EQ(content.sha256(), digest_of(HashAlgorithm::kSha256, std::string_view(large)));
  EXPECT_EQ(all_of(content), large);
}

TEST_F(ContentTest, LargeFilesThatChangedAreRefused) {
  const std::string large(3 << 20, 'x');
  const Content content = of(large);
  for (const std::string& other : {large + "x", large.substr(1), std::string(3 << 20, 'y'), std::string()}) {
    write(other);
    EXPECT_THAT(refusal(content), HasSubstr("changed while it was used"));
  }
  write(large);
  EXPECT_EQ(refusal(content), "none");
}

TEST_F(ContentTest, NothingIsText) {
  EXPECT_EQ(*of("").text(), "");
  EXPECT_EQ(*Content().text(), "");
}

}  // namespace
}  // namespace imgforge::core
