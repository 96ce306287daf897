// Machines that are asked what they use, in whose place a socket of the test answers.
#include "builder/machines/metrics/sampler.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "builder/machines/control/channel.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using std::chrono::milliseconds;

/// Answers as a machine's process does; the guest's agent as it is told.
class Process {
 public:
  explicit Process(std::string agent = "")
      : folder_(std::filesystem::temp_directory_path(), "sampler"),
        agent_(std::move(agent)),
        listens_(core::listen_local(folder_.path(), kControlSocket)),
        thread_([this] { serve(); }) {}
  ~Process() {
    ends_ = true;
    thread_.join();
  }
  const std::filesystem::path& folder() const { return folder_.path(); }
  unsigned agent_was_asked() const { return agent_asked_; }
  std::atomic<bool> hangs{false};

 private:
  void serve() {
    std::optional<Channel> client;
    while (!ends_) {
      core::Fd fd(::accept4(listens_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (fd) client.emplace(std::move(fd), 1 << 20);
      if (client && !client->is_closed()) {
        client->work();
        while (auto line = client->next_line())
          if (!hangs) answer(*client, *line);
      }
      ::usleep(1000);
    }
  }
  void answer(Channel& client, const std::string& line) {
    const core::Json question = core::parse_json(line, "the question");
    const std::string command = question.at("command");
    if (command == "agent") {
      ++agent_asked_;
      if (!agent_.empty()) client.send(agent_ + "\n");
      return;
    }
    if (command == "status")
      return client.send(fmt::format("{{\"return\": {{\"qemu_pid\": {}, \"agent\": true}}}}\n", ::getpid()));
    const std::string what = question.at("request").at("execute");
    ++written_;
    if (what == "query-balloon") return client.send("{\"return\": {\"actual\": 1000}}\n");
    if (what == "query-blockstats") {
      return client.send(
          fmt::format("{{\"return\": [{{\"stats\": {{\"rd_bytes\": 0, \"wr_bytes\": {}, "
                      "\"rd_operations\": 0, \"wr_operations\": 1}}}}]}}\n",
                      written_ * 1000));
    }
    client.send("{\"error\": {\"kind\": \"E_BOOT\"}}\n");
  }

  core::TempDir folder_;
  std::string agent_;
  core::Fd listens_;
  std::atomic<bool> ends_{false};
  std::atomic<unsigned> agent_asked_{0};
  unsigned written_ = 0;
  std::thread thread_;
};

std::optional<Look> look_with(Sampler& sampler, milliseconds patience) {
  sampler.ask();
  return sampler.take(Sampler::Clock::now() + patience, {});
}

TEST(Sampler, TheSecondLookHasRates) {
  Process process(R"({"return": [{"name": "eth0", "statistics": {"rx-bytes": 5, "tx-bytes": 6}}]})");
  Sampler sampler(process.folder());
  const auto first = look_with(sampler, milliseconds(20000));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->use.given, 1000U);
  EXPECT_FALSE(first->use.bytes_written);
  EXPECT_GT(first->use.resident.value_or(0), 0U);
  const auto second = look_with(sampler, milliseconds(20000));
  ASSERT_TRUE(second);
  EXPECT_GT(second->use.bytes_written.value_or(0), 0);
  EXPECT_EQ(second->use.received, 0.0);
  EXPECT_EQ(process.agent_was_asked(), 2U);
}

TEST(Sampler, AnAgentThatNeverAnswersHidesNothingElse) {
  Process process;
  Sampler sampler(process.folder());
  for (int i = 0; i < 5; ++i) {
    const auto look = look_with(sampler, i == 0 ? milliseconds(1500) : milliseconds(20000));
    ASSERT_TRUE(look) << i;
    EXPECT_EQ(look->use.bytes_written.has_value(), i > 0) << i;
    EXPECT_FALSE(look->use.received);
  }
  EXPECT_EQ(process.agent_was_asked(), 1U);
}

TEST(Sampler, AnAgentThatLiesIsNotAskedForAWhile) {
  for (const char* lie : {R"({"return": [{"name": "eth0", "statistics": {"rx-bytes": -5, "tx-bytes": 6}}]})",
                          R"({"return": {}})", R"({"error": {"class": "x"}})"}) {
    Process process(lie);
    Sampler sampler(process.folder());
    for (int i = 0; i < 5; ++i) {
      const auto look = look_with(sampler, milliseconds(20000));
      ASSERT_TRUE(look) << lie;
      EXPECT_FALSE(look->use.received);
    }
    EXPECT_EQ(process.agent_was_asked(), 1U) << lie;
  }
}

TEST(Sampler, AProcessThatHangsIsLeftAloneForAWhile) {
  Process process;
  process.hangs = true;
  Sampler sampler(process.folder());
  EXPECT_FALSE(look_with(sampler, milliseconds(10)));
  process.hangs = false;
  EXPECT_FALSE(look_with(sampler, milliseconds(20000))) << "not asked again at once";
}

TEST(Sampler, AMachineThatDoesNotRunGivesNothing) {
  const core::TempDir folder(std::filesystem::temp_directory_path(), "sampler");
  Sampler sampler(folder.path());
  EXPECT_FALSE(look_with(sampler, milliseconds(20000)));
  Sampler gone(folder / "gone");
  EXPECT_FALSE(look_with(gone, milliseconds(20000)));
}

}  // namespace
}  // namespace imgforge::machines
