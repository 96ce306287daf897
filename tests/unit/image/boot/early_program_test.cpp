// The early program, run as the initramfs runs it, on partition tables that sfdisk makes in files.
#include "builder/image/boot/early_program.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include "unit/image/image_testing.hpp"

namespace imgforge::image {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::uint64_t kMib = 1 << 20;
constexpr std::size_t kTableBytes = 34 * 512;

/// Two partitions, the second up to the end.
constexpr const char* kTwoPartitions =
    "label: gpt\nlabel-id: 11111111-2222-3333-4444-555555555555\n"
    "start=2048, size=8192, name=boot\nstart=10240, name=root\n";

class EarlyTest : public testing::ImageTest {
 protected:
  void SetUp() override {
    spill(path("early"), early_program());
    std::filesystem::permissions(path("early"), std::filesystem::perms::owner_all);
  }

  core::ProcessResult early(std::vector<std::string> args) const {
    core::Command command;
    command.program = path("early").native();
    command.args = std::move(args);
    return core::system_processes().run(command, {});
  }

  core::ProcessResult grow(const char* number = "2") const {
    return early({"grow", path("disk").native(), number});
  }

  void make_disk(std::uint64_t mib, const char* script = kTwoPartitions) const {
    spill(path("disk"), "");
    std::filesystem::resize_file(path("disk"), mib * kMib);
    run("sfdisk", {"-q", path("disk").native()}, script);
  }

  void enlarge(std::uint64_t bytes) const { std::filesystem::resize_file(path("disk"), bytes); }

  void flip(std::uint64_t offset, unsigned char mask = 0xFF) const {
    std::fstream file(path("disk"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ mask));
  }

  /// MBR, header and entries.
  std::string front() const {
    std::string bytes(kTableBytes, '\0');
    std::ifstream(path("disk"), std::ios::binary).read(bytes.data(), kTableBytes);
    return bytes;
  }

  /// It must refuse with that message and leave every byte as it was.
  void expect_refused(const std::string& message, const char* number = "2") const {
    const std::string before = slurp(path("disk"));
    const core::ProcessResult result = grow(number);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_TRUE(slurp(path("disk")) == before) << "it wrote although it refused";
  }

  void expect_sound() const {
    EXPECT_THAT(run("sfdisk", {"-V", path("disk").native()}), HasSubstr("No errors detected"));
    EXPECT_THAT(run("sgdisk", {"-v", path("disk").native()}), HasSubstr("No problems found"));
  }

  std::string table() const { return run("sfdisk", {"-d", path("disk").native()}); }
};

TEST_F(EarlyTest, IsASmallStaticProgram) {
  EXPECT_EQ(early_program().substr(0, 4),
            "\x7f"
            "ELF");
  EXPECT_LT(early_program().size(), 20'000U);
  EXPECT_THAT(run("readelf", {"-lW", path("early").native()}), Not(HasSubstr("INTERP")));
}

TEST_F(EarlyTest, WrongUsageIsRefused) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {}, {"grow"}, {"shrink", "a", "1"}, {"resize", "/"}, {"verity", "a", "b", "c"}}) {
    const core::ProcessResult result = early(args);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr("usage: early verity"));
  }
  const core::ProcessResult missing = early({"grow", path("none").native(), "1"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(missing.err, "early: cannot open " + path("none").native() + ": No such file or directory\n");
}

TEST_F(EarlyTest, GrowsTheLastPartitionIntoALargerDisk) {
  for (const std::uint64_t added : {4 * kMib, 100 * kMib, 5 * kMib + 512, 3 * kMib + 511, std::uint64_t{512},
                                    std::uint64_t{33 * 512}, 3000 * kMib}) {
    SCOPED_TRACE(added);
    make_disk(16);
    const std::uint64_t size = 16 * kMib + added;
    enlarge(size);
    const core::ProcessResult result = grow();
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.out + result.err, IsEmpty());
    expect_sound();
    const std::uint64_t last_usable = size / 512 - 34;
    EXPECT_THAT(table(), HasSubstr("last-lba: " + std::to_string(last_usable)));
    EXPECT_THAT(table(), HasSubstr("start=       10240, size=" + [&] {
                  const std::string sectors = std::to_string(last_usable - 10239);
                  return std::string(12 - sectors.size(), ' ') + sectors;
                }()));
    const std::string before = front();
    EXPECT_EQ(grow().exit_code, 0);
    EXPECT_TRUE(front() == before) << "the second run changed something";
  }
}

TEST_F(EarlyTest, KeepsEverythingElse) {
  make_disk(16);
  const std::string before = table();
  const std::string content = slurp(path("disk"));
  enlarge(64 * kMib);
  ASSERT_EQ(grow().exit_code, 0);
  const std::string after = slurp(path("disk"));
  EXPECT_TRUE(after.substr(0, 446) == content.substr(0, 446)) << "boot code";
  EXPECT_TRUE(after.substr(kTableBytes, 16 * kMib - 2 * kTableBytes) ==
              content.substr(kTableBytes, 16 * kMib - 2 * kTableBytes));
  // Identifiers, names and the first partition are the same lines.
  for (const char* kept :
       {"label-id: 11111111-2222-3333-4444-555555555555", "name=\"boot\"", "name=\"root\""}) {
    EXPECT_THAT(table(), HasSubstr(kept));
  }
  const auto first_line = [](const std::string& text) {
    const std::size_t at = text.find("start=        2048");
    return text.substr(at, text.find('\n', at) - at);
  };
  EXPECT_EQ(first_line(table()), first_line(before));
  // The protective MBR covers the disk.
  EXPECT_EQ(after.substr(446 + 12, 4), std::string("\xff\xff\x01\x00", 4));
}

TEST_F(EarlyTest, SaysAndDoesNothingWhenNothingIsToDo) {
  make_disk(16);
  const std::string before = slurp(path("disk"));
  const core::ProcessResult result = grow();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out + result.err, IsEmpty());
  EXPECT_TRUE(slurp(path("disk")) == before);
  // A write-protected disk is no fault then.
  const std::string calls =
      run("strace", {"-e", "trace=open", path("early").native(), "grow", path("disk").native(), "2"});
  EXPECT_THAT(calls, AllOf(HasSubstr("O_RDONLY"), Not(HasSubstr("O_RDWR"))));
}

TEST_F(EarlyTest, RefusesADamagedTable) {
  make_disk(16);
  enlarge(32 * kMib);
  flip(512 + 40);  // first usable sector, covered by the header's CRC
  expect_refused("the GPT's header is damaged (CRC)");
  flip(512 + 40);
  flip(1024 + 128 + 56);  // a letter of a name, covered by the entries' CRC
  expect_refused("the GPT's entries are damaged (CRC)");
  flip(1024 + 128 + 56);
  flip(512);
  expect_refused("no GPT");
  flip(512);
  flip(510);
  expect_refused("no protective MBR");
  flip(510);
  EXPECT_EQ(grow().exit_code, 0);
  expect_sound();
}

TEST_F(EarlyTest, RefusesAPartitionThatIsNotTheLast) {
  make_disk(16);
  enlarge(32 * kMib);
  expect_refused("partition 1 is not the last one", "1");
  expect_refused("no partition 3", "3");
  expect_refused("no partition 999", "999");
  expect_refused("0 is no partition number", "0");
  expect_refused("2x is no partition number", "2x");
  expect_refused("1000 is no partition number", "1000");
  // The last on the disk, not the last in the table.
  make_disk(16, "label: gpt\nstart=10240, name=root\nstart=2048, size=8192, name=boot\n");
  enlarge(32 * kMib);
  expect_refused("partition 2 is not the last one", "2");
  EXPECT_EQ(grow("1").exit_code, 0);
  expect_sound();
}

TEST_F(EarlyTest, AMissingSecondCopyIsWrittenAgain) {
  make_disk(16);
  enlarge(16 * kMib - 40 * 512);
  expect_refused("the disk is smaller than its GPT says");
  enlarge(32 * kMib);
  EXPECT_EQ(grow().exit_code, 0);
  expect_sound();
}

/// Each write in turn does not happen any more: what is on the disk then is a table that the next run makes
/// whole.
TEST_F(EarlyTest, EveryInterruptionLeavesAUsableTable) {
  for (int write = 1; write <= 4; ++write) {
    SCOPED_TRACE(write);
    make_disk(16);
    enlarge(24 * kMib);
    core::Command command;
    command.program = "strace";
    command.args = {"-qq",
                    "-e",
                    "trace=pwrite64",
                    "-e",
                    "inject=pwrite64:error=EIO:when=" + std::to_string(write),
                    path("early").native(),
                    "grow",
                    path("disk").native(),
                    "2"};
    const core::ProcessResult result = core::system_processes().run(command, {});
    ASSERT_THAT(result.err, HasSubstr("pwrite64"));
    EXPECT_EQ(result.exit_code, write <= 3 ? 1 : 0) << "there are three writes";
    EXPECT_THAT(table(), HasSubstr("name=\"root\""));
    EXPECT_EQ(grow().exit_code, 0);
    expect_sound();
  }
  // The last write is the only one that touches the first copy. Torn, it leaves the second.
  const std::string whole = table();
  spill(path("first"), std::string(2048, 'x'));
  run("dd",
      {"if=" + path("first").native(), "of=" + path("disk").native(), "bs=512", "seek=1", "conv=notrunc"});
  EXPECT_THAT(table(), AllOf(HasSubstr(whole.substr(whole.find("device:"))),
                             HasSubstr("The primary GPT table is corrupt, but the backup appears OK")));
}

TEST_F(EarlyTest, RefusesWhatIsNoGpt) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{511}, 34 * std::uint64_t{512}, kMib}) {
    spill(path("disk"), std::string(size, 'x'));
    expect_refused("no GPT");
  }
  make_disk(16, "label: dos\nstart=2048\n");
  enlarge(32 * kMib);
  expect_refused("no GPT", "1");
  const core::ProcessResult folder = early({"grow", "/tmp", "1"});
  EXPECT_EQ(folder.exit_code, 1);
  EXPECT_THAT(folder.err, HasSubstr("/tmp is neither a block device nor a file"));
}

/// Every byte of MBR, header and first entries, damaged in turn: either it is refused and nothing changes, or
/// the outcome is a sound table.
TEST_F(EarlyTest, NoDamagedByteLeadsToADamagedTable) {
  make_disk(2, "label: gpt\nstart=64, size=64, name=boot\nstart=128, name=root\n");
  const std::string original = slurp(path("disk"));
  int accepted = 0;
  for (std::size_t offset = 440; offset < 1024 + 3 * 128; ++offset) {
    for (const int mask : {0x01, 0x80}) {
      std::string damaged = original;
      damaged[offset] = static_cast<char>(damaged[offset] ^ mask);
      spill(path("disk"), damaged);
      enlarge(3 * kMib);
      const core::ProcessResult result = grow();
      damaged.resize(3 * kMib, '\0');
      if (result.exit_code == 1) {
        ASSERT_TRUE(slurp(path("disk")) == damaged) << offset;
        continue;
      }
      ASSERT_EQ(result.exit_code, 0) << offset;
      ++accepted;
      ASSERT_TRUE(offset < 512 || (offset >= 512 + 92 && offset < 1024)) << offset;
      if (offset >= 512 && offset % 32 != 0) continue;  // the unused rest of the header: some of it will do
      ASSERT_THAT(run("sgdisk", {"-v", path("disk").native()}), HasSubstr("No problems found")) << offset;
    }
  }
  EXPECT_GT(accepted, 0);
}

/// The same with a correct CRC: what the header says is not believed either.
TEST_F(EarlyTest, AHeaderWithAGoodChecksumIsStillChecked) {
  make_disk(2, "label: gpt\nstart=64, size=64, name=boot\nstart=128, name=root\n");
  enlarge(3 * kMib);
  const std::string original = slurp(path("disk"));
  const auto crc = [](std::string_view data) {
    std::uint32_t value = 0xFFFFFFFF;
    for (const char byte : data) {
      value ^= static_cast<unsigned char>(byte);
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0U);
    }
    return ~value;
  };
  const auto put = [](std::string& text, std::size_t offset, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) text[offset + i] = static_cast<char>(value >> (8 * i));
  };
  struct Row {
    std::size_t offset;
    std::uint64_t value;
    std::size_t size;
  };
  for (const Row row : std::initializer_list<Row>{
           {12, 91, 4},         {12, 513, 4}, {12, 0xFFFFFFFF, 4}, {24, 2, 8},          {32, 0, 8},
           {32, 1ULL << 63, 8}, {40, 0, 8},   {40, 33, 8},         {40, ~0ULL, 8},      {48, 0, 8},
           {48, ~0ULL, 8},      {72, 3, 8},   {72, ~0ULL, 8},      {80, 0, 4},          {80, 129, 4},
           {80, ~0ULL, 4},      {84, 0, 4},   {84, 64, 4},         {84, 0xFFFFFFFF, 4}, {8, 0x20000, 4}}) {
    SCOPED_TRACE(std::to_string(row.offset) + " = " + std::to_string(row.value));
    std::string changed = original;
    put(changed, 512 + row.offset, row.value, row.size);
    put(changed, 512 + 16, 0, 4);
    put(changed, 512 + 16, crc(std::string_view(changed).substr(512, 92)), 4);
    spill(path("disk"), changed);
    expect_refused("");
  }
}

TEST_F(EarlyTest, VerityAndResizeRefuseWhatIsNoDevice) {
  spill(path("data"), std::string(8192, 'd'));
  spill(path("hash"), std::string(8192, 'h'));
  const std::string hash(64, 'a');
  core::ProcessResult result = early({"verity", "root", path("data").native(), path("hash").native(), hash});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "early: " + path("hash").native() + " holds no verity superblock\n");
  result = early({"verity", "../root", path("data").native(), path("hash").native(), hash});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("a device name is"));
  result = early({"resize", "/", path("data").native()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "early: " + path("data").native() + " is not mounted on /\n");
}

}  // namespace
}  // namespace imgforge::image
