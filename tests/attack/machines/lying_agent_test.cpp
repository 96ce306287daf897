// Agents that lie: every reply that no agent gives is refused, and nothing of it is passed on.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include <thread>

#include "builder/machines/agent/replies.hpp"
#include "builder/machines/agent/ssh_access.hpp"
#include "builder/machines/shared/conversation.hpp"
#include "core/clock.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"
#include "core/temp_dir.hpp"
#include "unit/machines/machines_testing.hpp"

namespace imgforge::machines {
namespace {

using core::Json;
using core::Kind;
using testing::kind_of;

template <class Parse>
void expect_refused(Parse parse, const std::vector<std::string>& replies) {
  for (const std::string& reply : replies)
    EXPECT_EQ(kind_of([&] { parse(Json::parse(reply)); }), Kind::kIntegrity) << reply;
}

TEST(LyingAgent, StartsNoCommand) {
  EXPECT_EQ(parse_exec_started(Json::parse(R"({"pid": 12})")), 12);
  expect_refused(&parse_exec_started, {"null", "[]", "12", "{}", R"({"pid": -1})", R"({"pid": "12"})",
                                       R"({"pid": 1.5})", R"({"pid": 18446744073709551615})"});
}

TEST(LyingAgent, EndsNoCommand) {
  const ExecStatus good = parse_exec_status(
      Json::parse(R"({"exited": true, "exitcode": 3, "out-data": "aGk=", "out-truncated": true})"));
  EXPECT_EQ(good.exit_code, 3);
  EXPECT_EQ(good.out, "hi");
  EXPECT_TRUE(good.truncated);
  EXPECT_EQ(parse_exec_status(Json::parse(R"({"exited": true, "signal": 9})")).exit_code, 137);
  EXPECT_FALSE(parse_exec_status(Json::parse(R"({"exited": false})")).exited);
  expect_refused(
      &parse_exec_status,
      {"null", "{}", R"({"exited": 1})", R"({"exited": true})", R"({"exited": true, "exitcode": 256})",
       R"({"exited": true, "exitcode": -1})", R"({"exited": true, "signal": 0})",
       R"({"exited": true, "signal": 128})", R"({"exited": true, "exitcode": 0, "out-data": "?"})",
       R"({"exited": true, "exitcode": 0, "out-data": 7})",
       R"({"exited": true, "exitcode": 0, "err-data": "aGk"})",
       R"({"exited": true, "exitcode": 0, "out-truncated": "yes"})"});
}

std::string interfaces(const std::string& type, const std::string& address, const std::string& prefix) {
  return R"([{"name": "eth0", "ip-addresses": [{"ip-address-type": ")" + type + R"(", "ip-address": ")" +
         address + R"(", "prefix": )" + prefix + "}]}]";
}

TEST(LyingAgent, HasNoAddressesButNumbers) {
  const auto good = parse_addresses(Json::parse(interfaces("ipv6", "FD00:0:0:0:0:0:0:1", "64")));
  ASSERT_EQ(good.size(), 1U);
  EXPECT_EQ(good[0].address, "fd00::1");
  EXPECT_TRUE(parse_addresses(Json::parse(interfaces("ipv4", "127.0.0.1", "8"))).empty());
  EXPECT_TRUE(parse_addresses(Json::parse(interfaces("ipv6", "fe80::1", "64"))).empty());
  expect_refused(&parse_addresses,
                 {"null", "{}", "[1]", "[{}]", R"([{"name": 1}])", R"([{"name": "a", "ip-addresses": {}}])",
                  interfaces("ipv4", "10.0.0.1\\u001b[2J", "8"), interfaces("ipv4", "10.0.0.1; reboot", "8"),
                  interfaces("ipv4", "-oProxyCommand=x", "8"), interfaces("ipv4", "fd00::1", "8"),
                  interfaces("ipv4", "10.0.0.1", "33"), interfaces("ipv4", "10.0.0.1", "-1"),
                  interfaces("ipx", "10.0.0.1", "8"), interfaces("ipv6", "fd00::1%eth0", "8"),
                  R"([{"name": ")" + std::string(65, 'a') + R"("}])"});
  Json many = Json::array();
  for (int i = 0; i < 300; ++i) many.push_back({{"name", "eth0"}});
  EXPECT_EQ(kind_of([&] { parse_addresses(many); }), Kind::kIntegrity);
}

TEST(LyingAgent, HasNoOtherFiles) {
  EXPECT_EQ(parse_file_part(Json::parse(R"({"count": 2, "buf-b64": "aGk=", "eof": true})")).content, "hi");
  expect_refused(&parse_file_part, {"null", R"({"count": 2, "buf-b64": "aGk=", "eof": 1})",
                                    R"({"count": 3, "buf-b64": "aGk=", "eof": true})",
                                    R"({"count": -1, "buf-b64": "", "eof": true})",
                                    R"({"buf-b64": "", "eof": true})", R"({"count": 0, "eof": true})"});
  expect_refused([](const Json& reply) { return parse_written(reply, 10); },
                 {"null", "{}", R"({"count": 11})", R"({"count": -1})", R"({"count": "1"})"});
  expect_refused(&parse_handle, {"null", "{}", "\"1\"", "1.5"});
}

TEST(LyingAgent, NamesNoUserThatIsAnOption) {
  EXPECT_EQ(first_user("root:x:0:0:root:/root:/bin/sh\nkode:x:1000:1000::/home/kode:/bin/sh\n"), "kode");
  EXPECT_EQ(first_user("nobody:x:65534:65534::/:/bin/sh\ng:x:1001:1::/:/sbin/nologin\n"), "root");
  for (const char* line : {"-oProxyCommand=sh:x:1000:1000::/:/bin/sh", "a b:x:1000:1000::/:/bin/sh",
                           "a\x1b[2J:x:1000:1000::/:/bin/sh", "a@b:x:1000:1000::/:/bin/sh",
                           "a:x:1e3:1::/:/bin/sh", ":x:1000:1000::/:/bin/sh", "a:x:1000"})
    EXPECT_EQ(first_user(line), "root") << line;
}

TEST(LyingAgent, PutsNothingButKeysIntoKnownHosts) {
  const std::string key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIVyfBqQmIkQPvXqmR7PvmNDkJgLe5tMdDVhWNDg8fVC";
  EXPECT_EQ(known_hosts(key + " root@a\n", "project"), "project " + key + "\n");
  const std::string hostile = "@cert-authority * " + key + "\n* " + key + "\nssh-ed25519 AAAA\n" +
                              "ssh-ed25519 " + std::string(40, '*') + "\nssh-dss " + std::string(60, 'A') +
                              "\n";
  EXPECT_EQ(kind_of([&] { known_hosts(hostile, "project"); }), Kind::kBoot);
  EXPECT_EQ(known_hosts(hostile + key, "project"), "project " + key + "\n");
}

/// A machine's process whose agent runs each command at once and lets it say the same.
class LyingProcess {
 public:
  LyingProcess(const std::filesystem::path& folder, const std::string& says)
      : listener_(core::listen_local(folder, kControlSocket)), thread_([this, says] { serve(says); }) {}
  ~LyingProcess() { thread_.join(); }

 private:
  void serve(const std::string& says) {
    pollfd poll_row{listener_.get(), POLLIN, 0};
    ::poll(&poll_row, 1, 20'000);
    Channel client(core::Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)),
                   1 << 16);
    const std::string output =
        core::to_base64({reinterpret_cast<const std::uint8_t*>(says.data()), says.size()});
    while (!client.is_closed()) {
      while (const auto line = client.next_line()) {
        const bool status = line->find("guest-exec-status") != std::string::npos;
        client.send(Json{{"return", status ? Json{{"exited", true}, {"exitcode", 0}, {"out-data", output}}
                                           : Json{{"pid", 1}}}}
                        .dump() +
                    "\n");
      }
      pollfd row{client.fd(), client.events(), 0};
      ::poll(&row, 1, 1000);
      client.work();
    }
  }
  core::Fd listener_;
  std::thread thread_;
};

TEST(LyingAgent, AnswersNothingButWhatItWasAsked) {
  const core::CancelToken cancel;
  Settings settings;
  const auto ask = [&](const std::string& says) {
    const core::TempDir folder(std::filesystem::temp_directory_path(), "lying-agent");
    const LyingProcess process(folder.path(), says);
    Control control = Control::require(folder.path());
    Agent agent(control, cancel);
    AuditLog audit(folder.path(), core::system_clock(), cancel);
    const Conversation conversation{settings, folder.path(), std::chrono::seconds(10), cancel,
                                    [](const std::string&) {}};
    return ask_by_agent(conversation, audit, agent, "restart: x").outcome;
  };
  EXPECT_EQ(ask("#1 refused: restart: x\n"), "refused");
  for (const std::string& says :
       {std::string(), std::string("#2 done: restart: x\n"), std::string("done: restart: x\n"),
        std::string("\x1b[2J#1 done: restart: x\n"), std::string("#1 undone: restart: x\n"),
        std::string(1 << 20, '#')}) {
    EXPECT_EQ(kind_of([&] { ask(says); }), Kind::kIntegrity) << says.substr(0, 40);
  }
}

}  // namespace
}  // namespace imgforge::machines
