// What a machine may put into the folder that it shares with its host.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>
#include <thread>

#include "builder/machines/shared/folder.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machines {
namespace {

namespace fs = std::filesystem;

class HostileFolder : public ::testing::Test {
 protected:
  HostileFolder() { std::ofstream(outside()) << "secret\n"; }
  fs::path outside() const { return scratch_ / "outside"; }
  fs::path in(const std::string& name) const { return scratch_ / "shared" / name; }

  /// Neither read nor written, whatever stands at both names.
  void expect_refused(const std::string& what) {
    try {
      folder_.append(kOrdersFile, "x", 1 << 16);
      FAIL() << "written through " << what;
    } catch (const core::Error& error) {
      EXPECT_EQ(error.kind(), core::Kind::kUnsafe) << what;
      EXPECT_NE(error.message().find(what), std::string::npos) << error.message();
    }
    EXPECT_THROW(folder_.open(kReportFile), core::Error) << what;
    EXPECT_THROW(Follower(folder_, Follower::From::kBeginning), core::Error) << what;
    EXPECT_EQ(core::read_text_file(outside()), "secret\n");
    fs::remove_all(in(kOrdersFile));
    fs::remove_all(in(kReportFile));
  }

  core::TempDir scratch_{fs::temp_directory_path(), "hostile-folder"};
  bool made_ = fs::create_directory(scratch_ / "shared");
  SharedFolder folder_{scratch_ / "shared"};
};

TEST_F(HostileFolder, LinksLeadNowhere) {
  for (const fs::path& target : {outside(), fs::path("../outside"), fs::path("/proc/self/mem"),
                                 fs::path("nowhere"), fs::path("/dev/zero"), fs::path("logs")}) {
    fs::create_symlink(target, in(kOrdersFile));
    fs::create_symlink(target, in(kReportFile));
    expect_refused("a link");
  }
  EXPECT_FALSE(fs::exists(in("nowhere")));
}

TEST_F(HostileFolder, FifosFoldersSocketsAndDevicesAreNotOpened) {
  for (const char* name : {kOrdersFile, kReportFile}) ASSERT_EQ(::mkfifo(in(name).c_str(), 0600), 0);
  expect_refused("a FIFO");
  for (const char* name : {kOrdersFile, kReportFile}) fs::create_directory(in(name));
  expect_refused("a folder");
  for (const char* name : {kOrdersFile, kReportFile}) {
    const core::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    in(name).native().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  expect_refused("a device or socket");
}

TEST_F(HostileFolder, AFileWithAnotherNameIsNotWritten) {
  for (const char* name : {kOrdersFile, kReportFile}) fs::create_hard_link(outside(), in(name));
  expect_refused("another name");
}

TEST_F(HostileFolder, WhatStandsAtTheOldFilesNameStaysBesideIt) {
  fs::create_symlink(outside(), in("host-to-vm.txt.1"));
  folder_.append(kOrdersFile, "one", 1);
  folder_.append(kOrdersFile, "two", 1);  // takes the name from the link
  EXPECT_EQ(core::read_text_file(outside()), "secret\n");
  EXPECT_EQ(core::read_text_file(in("host-to-vm.txt.1")), "one\n");
  fs::remove(in("host-to-vm.txt.1"));
  fs::create_directory(in("host-to-vm.txt.1"));
  EXPECT_THROW(folder_.append(kOrdersFile, "three", 1), core::Error);
  EXPECT_EQ(core::read_text_file(in(kOrdersFile)), "two\n");
}

TEST_F(HostileFolder, AFileThatGrowsForEverIsReadInPieces) {
  std::ofstream(in(kReportFile)) << "first\n";
  Follower follower(folder_, Follower::From::kBeginning);
  EXPECT_EQ(follower.read(), "first\n");
  ASSERT_EQ(::truncate(in(kReportFile).c_str(), std::int64_t{1} << 40), 0);  // sparse, 1 TiB
  std::uint64_t read = 0;
  while (true) {
    const std::string piece = follower.read();
    if (piece.empty()) break;
    EXPECT_LE(piece.size(), 64U << 10);
    read += piece.size();
  }
  EXPECT_EQ(read, Follower::kMostBehind);
  EXPECT_EQ(follower.passed_over(), (std::uint64_t{1} << 40) - 6 - Follower::kMostBehind);
  EXPECT_EQ(follower.passed_over(), 0U);
}

TEST_F(HostileFolder, ReplacedAtAnyMomentNothingOutsideIsRead) {
  std::atomic<bool> ended = false;
  std::thread guest([&] {
    std::ofstream(in("plain")) << "plain\n";
    while (!ended) {
      std::error_code ignored;
      fs::create_symlink(outside(), in("link"), ignored);
      fs::rename(in("link"), in(kReportFile), ignored);
      fs::copy_file(in("plain"), in("copy"), fs::copy_options::overwrite_existing, ignored);
      fs::rename(in("copy"), in(kReportFile), ignored);
    }
  });
  unsigned refused = 0;
  unsigned read = 0;
  for (int i = 0; i < 20000 || (i < 400000 && (refused == 0 || read == 0)); ++i) {
    try {
      const auto fd = folder_.open(kReportFile);
      if (!fd) continue;
      std::array<std::byte, 16> buffer{};
      const std::size_t size = core::read_some(fd->get(), buffer, kReportFile);
      EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(buffer.data()), size), "plain\n");
      ++read;
    } catch (const core::Error&) {
      ++refused;
    }
  }
  ended = true;
  guest.join();
  EXPECT_GT(refused, 0U);
  EXPECT_GT(read, 0U);
}

}  // namespace
}  // namespace imgforge::machines
