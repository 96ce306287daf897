// What a parser could be made to do inside the confined child comes to nothing, and its death is a refusal.
#include "builder/content/confined.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <thread>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "support/sanitized.hpp"

namespace imgforge::content {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class Confined : public ::testing::Test {
 protected:
  std::string answer(const std::function<std::string()>& body,
                     const std::vector<int>& descriptors = {}) const {
    return run_confined(body, descriptors, limits_, {}).text;
  }
  std::string refusal(const std::function<std::string()>& body) const {
    try {
      return "answered " + answer(body);
    } catch (const core::Error& error) {
      EXPECT_EQ(error.reason(), core::Reason::kMalformed);
      return error.message();
    }
  }
  /// Address space of sanitizers has no bound.
  ConfinedLimits limits_{
      .memory = testing::kSanitized ? core::gib(1 << 20) : core::mib(512), .processor = 20s, .time = 20s};
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-confined"};
};

std::string told(long result) {
  return result < 0 ? std::to_string(errno) : "done";
}

TEST_F(Confined, ComputesWithThreadsAndReadsWhatIsOpen) {
  const core::Fd file = core::open_file(folder_ / "file", O_RDWR | O_CREAT);
  core::write_all(file.get(), "content", "file");
  EXPECT_EQ(
      answer(
          [&] {
            std::string text(7, ' ');
            std::thread([&] { static_cast<void>(::pread(file.get(), text.data(), text.size(), 0)); }).join();
            return text;
          },
          {file.get()}),
      "content");
}

TEST_F(Confined, OpensNothing) {
  const std::string name = folder_ / "new";
  EXPECT_NE(answer([&] { return told(::open(name.c_str(), O_WRONLY | O_CREAT, 0600)); }), "done");
  EXPECT_FALSE(std::filesystem::exists(name));
  EXPECT_NE(answer([] { return told(::open("/etc/passwd", O_RDONLY)); }), "done");
  EXPECT_NE(answer([&] { return told(::mkdir(name.c_str(), 0700)); }), "done");
  EXPECT_NE(answer([&] { return told(::unlink((folder_ / "file").c_str())); }), "done");
}

TEST_F(Confined, HasNoNetworkAndStartsNothing) {
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK})
    EXPECT_EQ(answer([&] { return told(::socket(family, SOCK_STREAM, 0)); }), std::to_string(EPERM));
  EXPECT_NE(answer([] { return told(::fork()); }), "done");
  EXPECT_NE(answer([] {
              char* words[] = {const_cast<char*>("true"), nullptr};
              return told(::execv("/bin/true", words));
            }),
            "done");
  const pid_t parent = ::getpid();
  EXPECT_EQ(answer([&] { return told(::kill(parent, SIGTERM)); }), std::to_string(EPERM));
}

TEST_F(Confined, SeesNoOtherDescriptorAndWritesIntoNoFile) {
  const core::Fd other = core::open_file(folder_ / "other", O_RDWR | O_CREAT);
  EXPECT_EQ(answer([&] { return told(::write(other.get(), "x", 1)); }), std::to_string(EBADF));
  EXPECT_NE(answer(
                [&] {
                  ::signal(SIGXFSZ, SIG_IGN);
                  return told(::write(other.get(), "x", 1));
                },
                {other.get()}),
            "done");
  EXPECT_EQ(std::filesystem::file_size(folder_ / "other"), 0U);
}

TEST_F(Confined, ItsDeathIsARefusal) {
  EXPECT_THAT(refusal([]() -> std::string { ::_exit(0); }), HasSubstr("stopped"));
  EXPECT_THAT(refusal([]() -> std::string { ::abort(); }), HasSubstr("died of signal"));
  EXPECT_THAT(refusal([]() -> std::string { throw std::bad_alloc(); }), HasSubstr("failed"));
  EXPECT_THAT(refusal([] { return std::string(2 << 20, 'x'); }), HasSubstr("says too much"));
  EXPECT_THAT(refusal([]() -> std::string {
                ::kill(::getpid(), SIGKILL);  // refused, so it goes on
                volatile int* nothing = nullptr;
                return std::to_string(*nothing);
              }),
              HasSubstr("stopped"));
}

TEST_F(Confined, MemoryAndTimeEnd) {
  if (!testing::kSanitized) {
    EXPECT_THAT(refusal([] { return std::string(std::size_t{1} << 30, 'x').substr(0, 1); }),
                HasSubstr("failed"));
  }
  limits_.processor = 1s;
  EXPECT_THAT(refusal([]() -> std::string {
                for (std::atomic<int> i = 0;; ++i) {
                }
              }),
              HasSubstr("too long"));
  limits_.time = 1s;
  EXPECT_THAT(refusal([]() -> std::string {
                std::this_thread::sleep_for(30s);
                return {};
              }),
              HasSubstr("too long"));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "all are reaped";
}

TEST_F(Confined, IsCancelled) {
  const core::CancelToken cancel;
  std::thread later([&] {
    std::this_thread::sleep_for(300ms);
    cancel.cancel();
  });
  EXPECT_THROW(run_confined(
                   [] {
                     std::this_thread::sleep_for(30s);
                     return std::string();
                   },
                   {}, limits_, cancel),
               core::Error);
  later.join();
}

}  // namespace
}  // namespace imgforge::content
