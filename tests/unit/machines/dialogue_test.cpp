// Talks with QEMU and the guest's agent, over a real socket with the test at its other end.
#include "builder/machines/supervisor/talk/dialogue.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

#include "builder/machines/control/control.hpp"
#include "builder/machines/supervisor/talk/clients.hpp"
#include "core/local_socket.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Ends {
  core::Fd ours;
  core::Fd theirs;
};

Ends socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  return {core::Fd(ends[0]), core::Fd(ends[1])};
}

class DialogueTest : public ::testing::Test {
 protected:
  explicit DialogueTest(Dialogue::Partner partner)
      : ends_(socket_pair()),
        dialogue_(std::move(ends_.ours), partner),
        other_(std::move(ends_.theirs), 1 << 20) {}

  void say(const std::string& text) {
    other_.send(text);
    dialogue_.work();
  }
  /// The next line that the partner got.
  std::string heard() {
    other_.work();
    return other_.next_line().value_or("nothing");
  }
  Dialogue::Take note(std::vector<std::string>& into) {
    return [&into](const Answer& answer) {
      into.push_back(answer.failure.empty() ? answer.line : "failure: " + answer.failure);
    };
  }

  Ends ends_;
  Dialogue dialogue_;
  Channel other_;
  std::vector<std::string> answers_;
};

class MonitorTest : public DialogueTest {
 protected:
  MonitorTest() : DialogueTest(Dialogue::Partner::kMonitor) {}
};

TEST_F(MonitorTest, GreetsFirstAndTellsEventsBetweenAnswers) {
  std::vector<std::string> events;
  bool open = false;
  dialogue_.on_event = [&](const Json& event) { events.push_back(event.at("event")); };
  dialogue_.on_open = [&] { open = true; };
  dialogue_.ask({{"execute", "early"}}, seconds(1), note(answers_));
  EXPECT_THAT(answers_[0], HasSubstr("failure"));
  say("{\"QMP\": {\"version\": {}}}\n");
  EXPECT_THAT(heard(), HasSubstr("qmp_capabilities"));
  say("{\"return\": {}}\n");
  EXPECT_TRUE(open);
  dialogue_.ask({{"execute", "a"}}, seconds(1), note(answers_));
  dialogue_.ask({{"execute", "b"}}, seconds(1), note(answers_));
  EXPECT_EQ(heard(), "{\"execute\":\"a\"}");
  EXPECT_EQ(heard(), "nothing");  // one after the other
  say("{\"event\": \"RESET\"}\n{\"return\": 1}\n");
  EXPECT_EQ(heard(), "{\"execute\":\"b\"}");
  say("{\"return\": 2}\n");
  EXPECT_EQ(events, std::vector<std::string>{"RESET"});
  EXPECT_EQ(answers_[1], "{\"return\": 1}");
  EXPECT_EQ(answers_[2], "{\"return\": 2}");
}

TEST_F(MonitorTest, AHangUpFailsWhatWasAsked) {
  say("{\"QMP\": {}}\n");
  dialogue_.ask({{"execute", "a"}}, seconds(1), note(answers_));
  other_.close();
  dialogue_.work();
  EXPECT_EQ(answers_, std::vector<std::string>{"failure: QEMU hung up"});
  EXPECT_TRUE(dialogue_.is_closed());
}

class AgentTest : public DialogueTest {
 protected:
  AgentTest() : DialogueTest(Dialogue::Partner::kAgent) {}

  /// Reads the request for synchronisation and returns its number.
  std::string sync_number() {
    const std::string line = heard();
    EXPECT_EQ(line.front(), '\xff');
    return Json::parse(line.substr(1)).at("arguments").at("id").dump();
  }
  void open() {
    dialogue_.set_port(true);
    say("\xff{\"return\": " + sync_number() + "}\n");
    EXPECT_TRUE(dialogue_.is_open());
  }
};

TEST_F(AgentTest, IsBelievedOnceItSaidTheNumber) {
  dialogue_.set_port(true);
  const std::string number = sync_number();
  say("{\"return\": \"old\"}\n\xff{\"return\": 1}\nnonsense\xff\n\xff[\n");
  EXPECT_FALSE(dialogue_.is_open());
  say("rest of an answer\xff{\"return\": " + number + "}\n");
  EXPECT_TRUE(dialogue_.is_open());
}

TEST_F(AgentTest, QuestionsWaitForTheNumberAndFailInTime) {
  dialogue_.ask({{"execute", "a"}}, seconds(1), note(answers_));
  EXPECT_EQ(answers_.size(), 1U);  // no port is open
  dialogue_.set_port(true);
  const std::string number = sync_number();
  dialogue_.ask({{"execute", "b"}}, milliseconds(10), note(answers_));
  dialogue_.ask({{"execute", "c"}}, seconds(100), note(answers_));
  EXPECT_EQ(heard(), "nothing");
  dialogue_.pass_time(Dialogue::Clock::now() + seconds(1));
  EXPECT_EQ(answers_.size(), 2U);
  say("\xff{\"return\": " + number + "}\n");
  EXPECT_EQ(heard(), "{\"execute\":\"c\"}");
}

TEST_F(AgentTest, ALateAnswerIsNotTakenForTheNextOne) {
  open();
  dialogue_.ask({{"execute", "slow"}}, milliseconds(10), note(answers_));
  dialogue_.ask({{"execute", "next"}}, seconds(100), note(answers_));
  EXPECT_EQ(heard(), "{\"execute\":\"slow\"}");
  dialogue_.pass_time(Dialogue::Clock::now() + seconds(1));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_THAT(answers_[0], HasSubstr("did not answer in time"));
  const std::string number = sync_number();
  say("{\"return\": \"late\"}\n");
  EXPECT_EQ(answers_.size(), 1U);
  say("\xff{\"return\": " + number + "}\n");
  EXPECT_EQ(heard(), "{\"execute\":\"next\"}");
  say("{\"return\": \"right\"}\n");
  EXPECT_EQ(answers_[1], "{\"return\": \"right\"}");
}

TEST_F(AgentTest, AClosedPortFailsWhatWasAsked) {
  open();
  dialogue_.ask({{"execute", "a"}}, seconds(100), note(answers_));
  dialogue_.set_port(false);
  EXPECT_EQ(answers_.size(), 1U);
  EXPECT_FALSE(dialogue_.is_open());
}

TEST_F(AgentTest, APortThatWasClosedThisMomentMayOpenAgain) {
  open();
  dialogue_.set_port(false);
  dialogue_.ask({{"execute", "a"}}, seconds(100), note(answers_));
  EXPECT_EQ(heard(), "nothing");
  EXPECT_THAT(answers_, IsEmpty());
  open();
  EXPECT_EQ(heard(), "{\"execute\":\"a\"}");
  say("{\"return\": 1}\n");
  EXPECT_THAT(answers_, ElementsAre("{\"return\": 1}"));
}

TEST_F(AgentTest, APortThatStaysClosedFailsWhatWasAsked) {
  open();
  dialogue_.set_port(false);
  dialogue_.ask({{"execute", "a"}}, seconds(100), note(answers_));
  ASSERT_TRUE(dialogue_.deadline());
  EXPECT_LT(*dialogue_.deadline(), Dialogue::Clock::now() + seconds(3));
  dialogue_.pass_time(Dialogue::Clock::now() + seconds(3));
  ASSERT_EQ(answers_.size(), 1U);
  EXPECT_THAT(answers_[0], HasSubstr("does not answer"));
  dialogue_.ask({{"execute", "b"}}, seconds(100), note(answers_));
  EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(AgentTest, AnAnswerToNobodyIsSkipped) {
  open();
  say("{\"return\": 1}\n{\"return\": 2}\n");
  EXPECT_TRUE(dialogue_.is_open());
  EXPECT_THAT(answers_, IsEmpty());
}

class ClientsTest : public ::testing::Test {
 protected:
  ClientsTest()
      : clients_(folder_.path(), [this](Clients::Id id, const Json& request) {
          const std::string command = request.at("command").get<std::string>();
          if (command == "watch") {
            clients_.answer(id, 1);
            clients_.watch(id, request.value("owner", false) ? Clients::Owner::kYes : Clients::Owner::kNo);
          } else if (command == "attach") {
            clients_.attach(id, Clients::Wants::kWrite, "before ");
          } else if (command != "never") {
            clients_.answer(id, command);
          }
        }) {}

  Channel connect() { return Channel(*core::connect_local(folder_.path(), kControlSocket), 1 << 20); }
  std::string ask(Channel& channel, const std::string& text) {
    channel.send(text);
    return next(channel);
  }
  std::string next(Channel& channel) {
    clients_.work();
    channel.work();
    return channel.next_line().value_or("nothing");
  }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "clients"};
  Clients clients_;
};

TEST_F(ClientsTest, AnswerEachRequestAndRefuseNonsense) {
  Channel one = connect();
  Channel two = connect();
  EXPECT_EQ(ask(one, "{\"command\": \"a\"}\n"), "{\"return\":\"a\"}");
  EXPECT_EQ(ask(two, "{\"command\": \"b\"}\n"), "{\"return\":\"b\"}");
  for (const char* nonsense :
       {"\n", "[]\n", "{}\n", "{\"command\": 1}\n", "\xff\xfe\n", "{\"command\": \"a\"\n"})
    EXPECT_THAT(ask(one, nonsense), HasSubstr("\"error\"")) << nonsense;
  EXPECT_EQ(ask(one, "{\"command\": \"a\"}\n"), "{\"return\":\"a\"}");
}

TEST_F(ClientsTest, ARequestWaitsForTheOneBefore) {
  Channel one = connect();
  EXPECT_EQ(ask(one, "{\"command\": \"never\"}\n{\"command\": \"a\"}\n"), "nothing");
  Channel two = connect();
  EXPECT_EQ(ask(two, "{\"command\": \"b\"}\n"), "{\"return\":\"b\"}");
}

TEST_F(ClientsTest, EventsGoToThoseWhoWatchAlone) {
  Channel watcher = connect();
  Channel other = connect();
  ask(watcher, "{\"command\": \"watch\"}\n");
  ask(other, "{\"command\": \"a\"}\n");
  clients_.tell({{"event", "state"}});
  EXPECT_EQ(next(watcher), "{\"event\":\"state\"}");
  EXPECT_EQ(next(other), "nothing");
}

TEST_F(ClientsTest, OneWritesAndAllSee) {
  std::string typed;
  clients_.on_typed = [&](std::string_view text) { typed += text; };
  Channel one = connect();
  Channel two = connect();
  EXPECT_EQ(ask(one, "{\"command\": \"attach\"}\n"), "{\"return\":{\"writes\":true}}");
  EXPECT_EQ(ask(two, "{\"command\": \"attach\"}\n"), "{\"return\":{\"writes\":false}}");
  clients_.show("now");
  one.work();
  two.work();
  EXPECT_EQ(one.take_all(), "before now");
  EXPECT_EQ(two.take_all(), "before now");
  one.send("from one");
  two.send("from two");
  clients_.work();
  EXPECT_EQ(typed, "from one");
}

TEST_F(ClientsTest, OneThatDoesNotReadIsDropped) {
  Channel slow = connect();
  ask(slow, "{\"command\": \"attach\"}\n");
  for (int i = 0; i < 100; ++i) clients_.show(std::string(1 << 16, 'x'));
  clients_.work();
  std::vector<pollfd> polls;
  clients_.add_to(polls);
  EXPECT_EQ(polls.size(), 1U);
}

TEST_F(ClientsTest, TheEndOfTheOwnerIsTold) {
  bool gone = false;
  clients_.on_owner_gone = [&] { gone = true; };
  Channel owner = connect();
  Channel other = connect();
  ask(owner, "{\"command\": \"watch\", \"owner\": true}\n");
  ask(other, "{\"command\": \"watch\"}\n");
  other.close();
  clients_.work();
  EXPECT_FALSE(gone);
  owner.close();
  clients_.work();
  EXPECT_TRUE(gone);
}

}  // namespace
}  // namespace imgforge::machines
