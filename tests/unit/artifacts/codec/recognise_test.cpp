// Files and partitions known by how they begin.
#include "artifacts/codec/recognise.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

/// `bytes` at `offset`, zeros around them.
std::string head_with(std::size_t offset, std::string_view bytes, std::size_t size = 40000) {
  std::string head(size, '\0');
  head.replace(offset, bytes.size(), bytes);
  return head;
}

TEST(Recognise, KnowsWhatIsAskedFor) {
  using namespace std::string_view_literals;
  const std::string fat = head_with(510, "\x55\xaa").replace(82, 5, "FAT32");
  EXPECT_EQ(recognise(fat, Among::kFileSystems), Content::kFat);
  EXPECT_EQ(recognise(fat, Among::kFiles), Content::kPartitions);
  EXPECT_EQ(recognise(fat, Among::kCompressions), Content::kUnknown);
  EXPECT_EQ(recognise("\x1f\x8b and more", Among::kCompressions), Content::kGzip);
  EXPECT_EQ(recognise("\x1f\x8b and more", Among::kFiles), Content::kGzip);
  EXPECT_EQ(recognise("\x1f\x8b and more", Among::kFileSystems), Content::kUnknown);
  EXPECT_EQ(recognise("\xfd\x37zXZ\0"sv, Among::kCompressions), Content::kXz);
  EXPECT_EQ(recognise("\xfd\x37zXZ"sv, Among::kCompressions), Content::kUnknown);
  EXPECT_EQ(recognise(head_with(1080, "\x53\xef"), Among::kFileSystems), Content::kExt4);
  EXPECT_EQ(recognise("", Among::kFiles), Content::kUnknown);
}

TEST(Recognise, AnythingElseComesBeforeAPartitionTable) {
  EXPECT_EQ(recognise(head_with(510, "\x55\xaa").replace(32769, 5, "CD001"), Among::kFiles), Content::kIso);
  EXPECT_EQ(recognise(head_with(510, "\x55\xaa").replace(514, 4, "HdrS"), Among::kFiles), Content::kKernel);
}

TEST(Recognise, ADescriptorIsNoDisk) {
  EXPECT_TRUE(begins_as("KDMV", Content::kVmdk));
  EXPECT_FALSE(begins_as("# Disk DescriptorFile", Content::kVmdk));
  EXPECT_EQ(recognise("# Disk DescriptorFile", Among::kFiles), Content::kVmdkDescriptor);
  EXPECT_EQ(content_name(Content::kVmdkDescriptor), "vmdk");
  EXPECT_EQ(content_name(Content::kUnknown), "");
}

TEST(Recognise, ReadsAtAnyPlaceOfAFile) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-recognise");
  const std::filesystem::path file = folder / "file";
  std::ofstream(file) << head_with(4096 + 1080, "\x53\xef", 4096 + 1082);
  EXPECT_EQ(recognise_file(file, Among::kFileSystems, 4096), Content::kExt4);
  EXPECT_EQ(recognise_file(file, Among::kFileSystems), Content::kUnknown);
  EXPECT_EQ(recognise_file(file, Among::kFileSystems, 1 << 20), Content::kUnknown);
  EXPECT_THROW(recognise_file(folder / "nothing", Among::kFiles), core::Error);
}

}  // namespace
}  // namespace imgforge::artifacts
