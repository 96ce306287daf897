// Key files as they lie on disk: modes, owners, links, names that are taken, and every source of a
// passphrase.
#include "signing/keys/key_files.hpp"

#include <fcntl.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "core/fd.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using testing::expect_error;
using testing::kCheap;

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

class KeyFiles : public testing::Scratch {
 protected:
  std::filesystem::path secret_ = folder_ / "imgforge.key";
  std::filesystem::path public_ = folder_ / "imgforge.pub";
  core::CancelToken cancel_;
};

TEST_F(KeyFiles, PlainPairRoundTrip) {
  const auto none = no_passphrase();
  const SecretKey key = SecretKey::generate();
  create_key_pair(folder_ / "new/deep/a.key", folder_ / "new/deep/a.pub", key, *none);
  EXPECT_EQ(mode_of(folder_ / "new/deep/a.key"), 0600U);
  EXPECT_EQ(load_public_key(folder_ / "new/deep/a.pub"), key.public_key());
  EXPECT_EQ(load_secret_key(folder_ / "new/deep/a.key", *none).public_key(), key.public_key());
}

TEST_F(KeyFiles, ModeIsPrivateUnderAnyUmask) {
  const mode_t old = ::umask(0);
  create_key_pair(secret_, public_, SecretKey::generate(), *no_passphrase());
  ::umask(old);
  EXPECT_EQ(mode_of(secret_), 0600U);
  EXPECT_EQ(mode_of(public_), 0644U);
}

TEST_F(KeyFiles, PassphraseFromFile) {
  write("words", "open sesame\nsecond line is not part of it\n", 0600);
  const auto words = passphrase_from_file(folder_ / "words", cancel_);
  const SecretKey key = SecretKey::generate();
  create_key_pair(secret_, public_, key, *words, kCheap);
  EXPECT_EQ(load_secret_key(secret_, *words).public_key(), key.public_key());
  EXPECT_EQ(SecretKey::parse(core::read_text_file(secret_), "open sesame").public_key(), key.public_key());
  expect_error(Kind::kSignature, "no passphrase was given",
               [&] { load_secret_key(secret_, *no_passphrase()); });
  write("words", "open says me\n", 0600);
  expect_error(Kind::kSignature, "wrong passphrase", [&] { load_secret_key(secret_, *words); });
}

TEST_F(KeyFiles, PassphraseFileMustBePrivate) {
  write("words", "x\n", 0644);
  const auto words = passphrase_from_file(folder_ / "words", cancel_);
  expect_error(Kind::kPermission, "wider than 0600",
               [&] { create_key_pair(secret_, public_, SecretKey::generate(), *words, kCheap); });
  EXPECT_EQ(files_left(), 1U);
}

TEST_F(KeyFiles, PassphraseFromDescriptorTakesOneLine) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const core::Fd out(ends[0]);
  core::Fd in(ends[1]);
  core::write_all(in.get(), std::string_view("first\nrest"), "pipe");
  in.reset();
  const auto words = passphrase_from_fd(out.get(), cancel_)->ask(PassphraseUse::kOpen, "k");
  ASSERT_TRUE(words);
  EXPECT_EQ(words->view(), "first");
  std::array<std::byte, 8> rest{};
  EXPECT_EQ(core::read_some(out.get(), rest, "pipe"), 4U);
  expect_error(Kind::kUsage, "no passphrase came",
               [&] { passphrase_from_fd(out.get(), cancel_)->ask(PassphraseUse::kOpen, "k"); });
}

TEST_F(KeyFiles, BadPassphrasesAreRefused) {
  struct Row {
    std::string content;
    std::string_view message;
  };
  for (const Row& row :
       {Row{"", "no passphrase came"}, Row{"\n", "protects nothing"},
        Row{std::string("a\0b\n", 4), "zero byte"}, Row{std::string(1024, 'x'), "longer than"}}) {
    write("words", row.content, 0600);
    const auto words = passphrase_from_file(folder_ / "words", cancel_);
    expect_error(Kind::kUsage, row.message, [&] { words->ask(PassphraseUse::kCreate, "k"); });
  }
  expect_error(Kind::kUsage, "is not open",
               [&] { passphrase_from_fd(987, cancel_)->ask(PassphraseUse::kOpen, "k"); });
}

TEST_F(KeyFiles, WaitingForPassphraseCanBeCancelled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const core::Fd out(ends[0]);
  const core::Fd in(ends[1]);
  cancel_.cancel();
  expect_error(Kind::kInterrupted, "",
               [&] { passphrase_from_fd(out.get(), cancel_)->ask(PassphraseUse::kOpen, "k"); });
}

TEST_F(KeyFiles, NeverOverwrites) {
  const auto none = no_passphrase();
  create_key_pair(secret_, public_, SecretKey::generate(), *none);
  const std::string before = core::read_text_file(secret_);
  const auto again = [&] { create_key_pair(secret_, public_, SecretKey::generate(), *none); };
  expect_error(Kind::kUsage, "exists already", again);
  std::filesystem::remove(public_);
  expect_error(Kind::kUsage, "exists already", again);
  EXPECT_FALSE(std::filesystem::exists(public_));
  EXPECT_EQ(core::read_text_file(secret_), before);
  // A dangling link in the way is neither followed nor replaced.
  std::filesystem::create_symlink(folder_ / "elsewhere", folder_ / "link.key");
  expect_error(Kind::kUsage, "exists already",
               [&] { create_key_pair(folder_ / "link.key", public_, SecretKey::generate(), *none); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
}

TEST_F(KeyFiles, FailureLeavesNeitherFile) {
  // The public half cannot be made (its folder is a file), so the secret half must not stay either.
  write("file", "");
  EXPECT_THROW(create_key_pair(secret_, folder_ / "file/a.pub", SecretKey::generate(), *no_passphrase()),
               core::Error);
  EXPECT_EQ(files_left(), 1U);
  const std::string long_name(300, 'x');
  EXPECT_THROW(create_key_pair(secret_, folder_ / long_name, SecretKey::generate(), *no_passphrase()),
               core::Error);
  EXPECT_EQ(files_left(), 1U);
}

TEST_F(KeyFiles, RefusesWiderModes) {
  create_key_pair(secret_, public_, SecretKey::generate(), *no_passphrase());
  for (const mode_t mode : {0644U, 0640U, 0604U, 0620U, 0700U, 04600U}) {
    ASSERT_EQ(::chmod(secret_.c_str(), mode), 0);
    const core::Error error = expect_error(Kind::kPermission, "wider than 0600",
                                           [&] { load_secret_key(secret_, *no_passphrase()); });
    EXPECT_EQ(error.hint(), "chmod 600 " + secret_.native());
  }
  ASSERT_EQ(::chmod(secret_.c_str(), 0400), 0);
  EXPECT_NO_THROW(load_secret_key(secret_, *no_passphrase()));
}

TEST_F(KeyFiles, RefusesLinksAndOtherOwners) {
  create_key_pair(secret_, public_, SecretKey::generate(), *no_passphrase());
  std::filesystem::create_symlink(secret_, folder_ / "link.key");
  expect_error(Kind::kPermission, "symbolic link",
               [&] { load_secret_key(folder_ / "link.key", *no_passphrase()); });
  ASSERT_EQ(::mkfifo((folder_ / "fifo.key").c_str(), 0600), 0);
  expect_error(Kind::kIo, "not a regular file",
               [&] { load_secret_key(folder_ / "fifo.key", *no_passphrase()); });
  expect_error(Kind::kIo, "not a regular file", [&] { load_secret_key(folder_.path(), *no_passphrase()); });
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away to test the owner check";
  ASSERT_EQ(::chown(secret_.c_str(), 65534, 65534), 0);
  expect_error(Kind::kPermission, "belongs to user 65534",
               [&] { load_secret_key(secret_, *no_passphrase()); });
}

TEST_F(KeyFiles, RefusesKeyInsidePublishedFolder) {
  std::filesystem::create_directories(folder_ / "out/keys");
  write("out/keys/a.key", "");
  std::filesystem::create_directory_symlink(folder_ / "out", folder_ / "alias");
  const auto out = folder_ / "out";
  for (const auto& key :
       {folder_ / "out/keys/a.key", folder_ / "alias/keys/a.key", folder_ / "out/new.key"}) {
    expect_error(Kind::kPermission, "lies inside", [&] { refuse_key_inside(key, out); });
    expect_error(Kind::kPermission, "lies inside", [&] { refuse_key_inside(key, out.native() + "/"); });
  }
  EXPECT_NO_THROW(refuse_key_inside(secret_, out));
  EXPECT_NO_THROW(refuse_key_inside(folder_ / "outside.key", out));
}

/// Runs `body` in a child with a terminal of its own, types `input` at each prompt, and returns what the
/// terminal showed. The child reports by its exit code.
struct TerminalRun {
  std::string shown;
  int exit_code = -1;
};
template <class Body>
TerminalRun with_terminal(const std::vector<std::string>& answers, Body&& body) {
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(body());
  const core::Fd terminal(master);
  TerminalRun result;
  std::size_t answered = 0;
  char c = 0;
  while (::read(master, &c, 1) == 1) {
    result.shown += c;
    if (answered < answers.size() && result.shown.ends_with(": ")) {
      core::write_all(master, answers[answered++], "pty");
      result.shown += '|';
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

int ask_and_compare(PassphraseUse use, std::string_view expected) {
  try {
    const auto words = passphrase_from_terminal(core::CancelToken())->ask(use, "imgforge.key");
    return words && words->view() == expected ? 0 : 1;
  } catch (const core::Error& error) {
    return error.kind() == Kind::kUsage ? 2 : 3;
  }
}

TEST(TerminalPassphrase, IsNotEchoed) {
  const TerminalRun once =
      with_terminal({"hidden words\n"}, [] { return ask_and_compare(PassphraseUse::kOpen, "hidden words"); });
  EXPECT_EQ(once.exit_code, 0) << once.shown;
  EXPECT_EQ(once.shown, "Passphrase for imgforge.key: |\r\n");
}

TEST(TerminalPassphrase, IsAskedTwiceForANewKey) {
  const auto create = [] { return ask_and_compare(PassphraseUse::kCreate, "abc"); };
  const TerminalRun same = with_terminal({"abc\n", "abc\n"}, create);
  EXPECT_EQ(same.exit_code, 0) << same.shown;
  EXPECT_EQ(same.shown.find("abc"), std::string::npos);
  EXPECT_EQ(with_terminal({"abc\n", "abd\n"}, create).exit_code, 2);
  EXPECT_EQ(with_terminal({"\n"}, create).exit_code, 2);
  EXPECT_EQ(with_terminal({"\x04"}, create).exit_code, 2) << "end of input";
}

TEST(TerminalPassphrase, NoTerminalIsSaid) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    ::_exit(ask_and_compare(PassphraseUse::kOpen, ""));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 2);
}

}  // namespace
}  // namespace imgforge::signing
