#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "core/atomic_file.hpp"
#include "core/bytes.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/process.hpp"
#include "core/random.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::core {
namespace {

namespace fs = std::filesystem;

template <class Body>
Kind kind_of(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "no error was thrown";
  return Kind::kInternal;
}

TEST(Bytes, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Bytes::parse("1G"), gib(1));
  EXPECT_EQ(Bytes::parse("64MiB"), mib(64));
  EXPECT_EQ(Bytes::parse("512kB"), kib(512));
  EXPECT_EQ(Bytes::parse("1000").value, 1000U);
}

TEST(Bytes, RefusesEverythingElse) {
  for (const char* text : {"", "010", "0100M", "00", "10Q", "-1", "1e3", "1.5G", "18446744073709551616",
                           "99999999999T", "1G ", "GG", "0x10"}) {
    EXPECT_EQ(kind_of([&] { Bytes::parse(text); }), Kind::kUsage) << text;
  }
}

TEST(Bytes, PrintsShortestExactForm) {
  EXPECT_EQ(gib(1).to_string(), "1G");
  EXPECT_EQ(mib(1536).to_string(), "1536M");
  EXPECT_EQ(Bytes{1000}.to_string(), "1000");
  EXPECT_EQ(Bytes{22'100'000}.human(), "22.1 MB");
}

TEST(Digest, KnownAnswers) {
  EXPECT_EQ(digest_of(HashAlgorithm::kSha256, "abc").hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(HashAlgorithm::kSha1, "abc").hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Digest::parse(digest_of(HashAlgorithm::kSha512, "").to_string()).bytes().size(), 64U);
}

TEST(Digest, MalformedTextIsRefused) {
  for (const std::string& text : {std::string("sha256:00"), "md5:" + std::string(32, '0'),
                                  std::string(64, '0'), "sha256:" + std::string(63, '0') + "g",
                                  "sha256:" + std::string(65, '0'), std::string("sha256:../../etc/passwd")}) {
    EXPECT_EQ(kind_of([&] { Digest::parse(text); }), Kind::kIntegrity) << text;
  }
}

TEST(Base64, RoundTripsAndRefusesWhatIsNotCanonical) {
  const std::vector<std::uint8_t> bytes{0, 1, 2, 253, 254, 255, 7};
  EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  for (const char* text : {"010", "0100M", "00", "A", "AA=A", "AB==", "AAB=", "A A=", "AAA\n", "===="}) {
    EXPECT_EQ(kind_of([&] { from_base64(text); }), Kind::kIntegrity) << text;
  }
}

TEST(Text, EscapesWhatCouldSteerATerminal) {
  EXPECT_EQ(escaped("a\x1b[2Jb\n\xff"), "a\\x1b[2Jb\\n\\xff");
  EXPECT_EQ(escaped("\xc2\x9b"), "\\xc2\\x9b");
  EXPECT_EQ(escaped("grün"), "grün");
}

TEST(Text, UrlsShowNoSecrets) {
  EXPECT_EQ(masked_urls("at https://user:pass@h/x?token=1 and http://h/a?b"),
            "at https://*********@h/x?******* and http://h/a?*");
  EXPECT_EQ(masked_urls("- \"https://u@h/\""), "- \"https://*@h/\"");
  EXPECT_EQ(masked_urls("hf://gpt2@main/x, https://h/a@b, is it so?"),
            "hf://gpt2@main/x, https://h/a@b, is it so?");
  Error error(Kind::kUsage, "http://u:p@h/");
  error.at({"r.yaml", 1, 3, 4, "m: http://u:p@h/?q"}).hint("http://u:p@h/").quote("http://u:p@h/");
  for (const std::string& text : {error.message(), error.hint(), error.quote(), error.mark()->text})
    EXPECT_EQ(text.find("u:p"), std::string::npos) << text;
  EXPECT_EQ(error.mark()->text.size(), std::string("m: http://u:p@h/?q").size())
      << "the mark points elsewhere";
}

TEST(Text, PrintableLeavesLinesAndNothingThatSteersATerminal) {
  EXPECT_EQ(printable("a\tb\r\n\x1B[2Jc\x07"), "a\tb\n\\x1B[2Jc\\x07");
  EXPECT_EQ(printable("\xC3\xBC \x9B \xC2\x9B"), "\xC3\xBC \\x9B \\xC2\\x9B")
      << "controls of one and of two bytes";
}

TEST(Text, NearestWord) {
  EXPECT_EQ(nearest_word("sevices", {"services", "version"}), "services");
  EXPECT_EQ(nearest_word("zzz", {"services", "version"}), "");
}

TEST(Json, RefusesDuplicateKeysAndDepth) {
  EXPECT_EQ(kind_of([] { parse_json(R"({"a":1,"a":2})", "x"); }), Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_json(std::string(40, '[') + std::string(40, ']'), "x"); }), Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_json("{} trailing", "x"); }), Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_json(std::string("{}\0garbage", 10), "x"); }), Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_json(std::string("{}\0", 3), "x"); }), Kind::kIntegrity);
  EXPECT_EQ(kind_of([] { parse_json("\xEF\xBB\xBF{}", "x"); }), Kind::kIntegrity);
  EXPECT_EQ(parse_json(R"({"a":{"b":1},"c":{"b":2}})", "x")["c"]["b"], 2);
}

TEST(Random, DerivedUuidsAreStable) {
  EXPECT_EQ(derived_uuid("x"), derived_uuid("x"));
  EXPECT_NE(derived_uuid("x"), derived_uuid("y"));
  EXPECT_EQ(derived_uuid("x").size(), 36U);
  EXPECT_EQ(derived_uuid("x")[14], '8');
}

TEST(Clock, SourceDateEpochWins) {
  const FixedClock clock{UnixTime{std::chrono::seconds(0)}};
  ::setenv("SOURCE_DATE_EPOCH", "1763596800", 1);
  EXPECT_EQ(compact_date(build_time(clock)), "20251120");
  ::setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
  EXPECT_EQ(kind_of([&] { build_time(clock); }), Kind::kUsage);
  ::unsetenv("SOURCE_DATE_EPOCH");
  EXPECT_EQ(iso_time(build_time(clock)), "1970-01-01T00:00:00Z");
}

class FilesTest : public ::testing::Test {
 protected:
  TempDir folder_{fs::temp_directory_path(), "core-test"};
};

TEST_F(FilesTest, AnAtomicFileAppearsWholeOrNotAtAll) {
  const fs::path target = folder_ / "file";
  { AtomicFile(target).write("abandoned"); }
  EXPECT_FALSE(fs::exists(target));
  write_file_atomically(target, "one");
  write_file_atomically(target, "two");
  EXPECT_EQ(read_text_file(target), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()),
            2);  // and .owner
}

TEST_F(FilesTest, ASymlinkIsReplacedInOneStep) {
  replace_symlink(folder_ / "current", "v1");
  replace_symlink(folder_ / "current", "v2");
  EXPECT_EQ(fs::read_symlink(folder_ / "current"), "v2");
}

TEST_F(FilesTest, AFifoIsRefusedAtOnce) {
  ::mkfifo((folder_ / "pipe").c_str(), 0600);
  EXPECT_EQ(kind_of([&] { open_regular(folder_ / "pipe"); }), Kind::kIo);
  EXPECT_EQ(kind_of([&] { open_regular(folder_.path()); }), Kind::kIo);
}

TEST_F(FilesTest, CopiesKeepHoles) {
  const fs::path source = folder_ / "sparse";
  {
    const Fd fd = open_file(source, O_WRONLY | O_CREAT);
    ASSERT_EQ(::ftruncate(fd.get(), 64 << 20), 0);
    ASSERT_EQ(::pwrite(fd.get(), "x", 1, 32 << 20), 1);
  }
  clone_file(source, folder_ / "copy");
  struct stat status {};
  ASSERT_EQ(::stat((folder_ / "copy").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 64 << 20);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
  EXPECT_EQ(digest_of_file(HashAlgorithm::kSha256, source),
            digest_of_file(HashAlgorithm::kSha256, folder_ / "copy"));
  EXPECT_THROW(clone_file(source, folder_ / "copy"), Error);
}

TEST_F(FilesTest, DirectoriesOfDeadOwnersAreReclaimed) {
  const TempDir alive(folder_.path(), "work");
  // Process numbers end at 4194304 on Linux, so nobody has this one.
  const fs::path dead = folder_ / "work.4194305.0123456789ab";
  const fs::path dead_early = folder_ / "work.4194306.0123456789ab";
  fs::create_directory(dead);
  write_file_atomically(dead / ".owner", "");
  fs::create_directory(dead_early);
  const fs::path young = folder_ / ("work." + std::to_string(::getpid()) + ".0123456789ab");
  fs::create_directory(young);
  write_file_atomically(young / ".owner", "");
  fs::create_directory(folder_ / "somebody-elses");
  EXPECT_EQ(TempDir::reclaim(folder_.path()), 2);
  EXPECT_TRUE(fs::exists(alive.path()));
  EXPECT_TRUE(fs::exists(young)) << "it may not have been locked yet";
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_FALSE(fs::exists(dead_early));
  EXPECT_TRUE(fs::exists(folder_ / "somebody-elses"));
}

TEST_F(FilesTest, AClearedDirectoryIsEmptyAndStillOwned) {
  TempDir work(folder_.path(), "work");
  fs::create_directories(work / "a/b");
  write_file_atomically(work / "a/b/file", "x");
  write_file_atomically(work / "file", "x");
  work.clear();
  EXPECT_TRUE(fs::exists(work / ".owner"));
  EXPECT_EQ(std::distance(fs::directory_iterator(work.path()), fs::directory_iterator()), 1);
  const TempDir next(work.path(), "after");
  EXPECT_TRUE(fs::exists(next.path()));
}

Command shell(const char* script) {
  Command command;
  command.program = "/bin/sh";
  command.args = {"-c", script};
  return command;
}

TEST(Process, CapturesBothStreamsAndTheExitCode) {
  Command command = shell("cat; echo problem >&2; exit 3");
  command.input = "given";
  const ProcessResult result = system_processes().run(command, CancelToken());
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "given");
  EXPECT_EQ(result.err, "problem\n");
}

TEST(Process, ChecksAndQuotes) {
  try {
    system_processes().check(shell("echo reason >&2; exit 1"), CancelToken(), Kind::kImage);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kImage);
    EXPECT_EQ(error.quote(), "reason");
  }
}

TEST(Process, TheEnvironmentIsClean) {
  ::setenv("IMGFORGE_SECRET_FOR_TEST", "leak", 1);
  const ProcessResult result = system_processes().run(shell("env"), CancelToken());
  EXPECT_EQ(result.out.find("leak"), std::string::npos);
  EXPECT_NE(result.out.find("LC_ALL=C"), std::string::npos);
}

TEST(Process, ADeadlineKillsTheWholeGroup) {
  Command command = shell("sleep 60 & echo $!; wait");
  command.timeout = std::chrono::milliseconds(300);
  EXPECT_EQ(kind_of([&] { system_processes().run(command, CancelToken()); }), Kind::kTimeout);
}

TEST(Process, AChildThatDoesNotReadItsInputIsNoDeathOfOurs) {
  Command command = shell("exit 4");
  command.input = std::string(1 << 20, 'x');
  EXPECT_EQ(system_processes().run(command, CancelToken()).exit_code, 4);
}

TEST(Process, CancelEndsIt) {
  const CancelToken cancel;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel.cancel();
  });
  EXPECT_EQ(kind_of([&] { system_processes().run(shell("sleep 60"), cancel); }), Kind::kInterrupted);
  later.join();
}

TEST(Process, AMissingProgramIsTheMachinesFault) {
  Command command;
  command.program = "no-such-program-here";
  EXPECT_EQ(kind_of([&] { system_processes().run(command, CancelToken()); }), Kind::kMachine);
}

TEST(Process, AChildIsReadAsItSpeaksAndDiesWithItsOwner) {
  int pid = 0;
  {
    ChildProcess child(shell("echo ready; sleep 60"));
    std::string output;
    while (output.find("ready") == std::string::npos) output += child.read(std::chrono::milliseconds(1000));
    pid = child.pid();
    EXPECT_FALSE(child.poll_exit());
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(Process, AChildThatIsKilledBeforeItRanIsGone) {
  Command command = shell("sleep 1000");
  for (const bool ends_with_caller : {false, true}) {
    command.ends_with_caller = ends_with_caller;
    for (int i = 0; i < 100; ++i) ChildProcess(command).kill();
  }
}

}  // namespace
}  // namespace imgforge::core
