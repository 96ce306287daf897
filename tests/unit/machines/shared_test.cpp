// The host's side of the shared folder: lines of the machine, commands, the audit log, the files.
#include <gtest/gtest.h>

#include <fstream>

#include "builder/machines/shared/audit_log.hpp"
#include "builder/machines/shared/conversation.hpp"
#include "builder/machines/shared/folder.hpp"
#include "builder/machines/shared/order.hpp"
#include "builder/machines/shared/report.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/iso_time.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::machines {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

class Shared : public ::testing::Test {
 protected:
  void say(const std::string& text) {
    std::ofstream(folder_ / kReportFile, std::ios::app | std::ios::binary) << text;
  }
  std::string orders() const { return core::read_text_file(folder_ / kOrdersFile); }
  std::string audit() const { return core::read_text_file(folder_ / kAuditLog); }
  core::TempDir folder_{fs::temp_directory_path(), "shared-test"};
  core::CancelToken cancel_;
};

TEST_F(Shared, LinesOfTheMachineHaveATimeAndPerhapsAnAnswer) {
  const ReportLine plain = parse_report_line("2026-11-20 01:02:03: the kettle is on");
  EXPECT_EQ(plain.time, "2026-11-20 01:02:03");
  EXPECT_EQ(plain.text, "the kettle is on");
  EXPECT_FALSE(plain.answer);
  const ReportLine answer = parse_report_line("2026-11-20 01:02:03: #12 failed: restart: x (exit code 1)");
  ASSERT_TRUE(answer.answer);
  EXPECT_EQ(answer.answer->number, 12U);
  EXPECT_EQ(answer.answer->outcome, "failed");
  EXPECT_EQ(answer.answer->text, "restart: x (exit code 1)");
  for (const char* text : {"", "2026-11-20 01:02:03", "2026-11-20T01:02:03: x", "20 6-11-20 01:02:03: x"}) {
    EXPECT_EQ(parse_report_line(text).time, "") << text;
    EXPECT_EQ(parse_report_line(text).text, text);
  }
}

TEST_F(Shared, WhatIsNoAnswerIsNone) {
  for (const char* text :
       {"", "#", "# ", "#1", "#1 ", "#1 done", "#1 done:", "#01 done: x", "#0 done: x", "#-1 done: x",
        "#1x done: x", "#1234567890 done: x", "#1 perhaps: x", " #1 done: x", "1 done: x", "#+1 done: x"}) {
    EXPECT_FALSE(parse_answer(text)) << text;
  }
  EXPECT_EQ(parse_answer("#999999999 refused: ")->number, 999'999'999U);
}

TEST_F(Shared, LinesAreMadeOfPiecesAndLongOnesCut) {
  LineSplitter lines;
  lines.add("one\ntw");
  EXPECT_EQ(lines.next(), "one");
  EXPECT_EQ(lines.next(), std::nullopt);
  lines.add("o\n\n");
  EXPECT_EQ(lines.next(), "two");
  EXPECT_EQ(lines.next(), "");
  for (int i = 0; i < 100; ++i) {
    lines.add(std::string(1000, 'x'));
    if (const auto line = lines.next()) {
      EXPECT_EQ(line->size(), LineSplitter::kLongestLine);
    }
  }
  lines.add("\nnext\n");
  EXPECT_EQ(lines.next(), "next");
  EXPECT_EQ(lines.next(), std::nullopt);
}

TEST_F(Shared, CommandsAreWordsOfAFewLetters) {
  EXPECT_EQ(order_of({"shutdown"}), "shutdown: graceful");
  EXPECT_EQ(order_of({"restart", "voice-service"}), "restart: voice-service");
  EXPECT_EQ(order_of({"config", "voice-sensitivity=high"}), "config: voice-sensitivity=high");
  for (const Words& words :
       {Words{}, Words{"reboot"}, Words{"restart"}, Words{"restart", ""}, Words{"restart", "a", "b"},
        Words{"restart", "a b"}, Words{"restart", "a\nb"}, Words{"restart", "../a"}, Words{"restart", "a;b"},
        Words{"restart", "a #1"}, Words{"restart", std::string(161, 'a')}, Words{"message", "x"}}) {
    EXPECT_THROW(order_of(words), core::Error);
  }
  EXPECT_EQ(message_order({"grüß", "dich"}), "message: grüß dich");
  for (const char* text : {"", "a\nb", "\x1b[2J", "\xff", "a\x7f"})
    EXPECT_THROW(message_order({text}), core::Error);
  EXPECT_THROW(message_order({std::string(241, 'x')}), core::Error);
}

TEST_F(Shared, TheManifestSaysWhatIsAllowed) {
  Settings settings;
  EXPECT_NO_THROW(check_allowed(settings, "restart: x")) << "nobody knows";
  settings.known = true;
  EXPECT_THROW(check_allowed(settings, "message: x"), core::Error) << "no service";
  settings.shared = true;
  EXPECT_NO_THROW(check_allowed(settings, "message: x"));
  EXPECT_THROW(check_allowed(settings, "restart: x"), core::Error);
  settings.shared_commands = {"restart: x"};
  EXPECT_NO_THROW(check_allowed(settings, "restart: x"));
  EXPECT_THROW(check_allowed(settings, "restart: xy"), core::Error);
}

TEST_F(Shared, NumbersRiseAndWhatWasAskedStandsThereBeforeItIsSent) {
  const core::FixedClock clock(*core::parse_iso_time("2026-11-20T01:02:03Z"));
  std::string seen;
  const auto look = [&](std::uint32_t) { seen = audit(); };
  EXPECT_EQ(AuditLog(folder_.path(), clock, cancel_).ask("restart: x", "folder", look), 1U);
  EXPECT_TRUE(seen.starts_with(
      R"({"time":"2026-11-20T01:02:03Z","number":1,"asked":"restart: x","way":"folder","uid":)"));
  AuditLog log(folder_.path(), clock, cancel_);
  log.note(1, "done", "restart: x\x1b");
  std::ofstream(folder_ / kAuditLog, std::ios::app) << R"({"time":"2026-11-20T01:02:03Z","num)";  // a crash
  EXPECT_EQ(log.ask("restart: y", "agent", look), 2U);
  EXPECT_TRUE(seen.ends_with("\n"));
  EXPECT_THROW(log.ask("restart: z", "folder",
                       [](std::uint32_t) { throw core::Error(core::Kind::kIo, "the disk is full"); }),
               core::Error);
  EXPECT_NE(audit().find(R"("number":3,"outcome":"not sent","text":"the disk is full"})"), std::string::npos);
  EXPECT_EQ(log.ask("restart: z", "folder", look), 4U);
}

TEST_F(Shared, MoreThanAMinuteTakesIsRefused) {
  const auto begin = *core::parse_iso_time("2026-11-20T01:02:03Z");
  const core::FixedClock clock(begin);
  AuditLog log(folder_.path(), clock, cancel_);
  for (unsigned i = 1; i <= AuditLog::kMostInAMinute; ++i)
    log.ask("restart: x", "folder", [](std::uint32_t) {});
  EXPECT_THROW(log.ask("restart: x", "folder", [](std::uint32_t) {}), core::Error);
  const core::FixedClock later(begin + std::chrono::seconds(61));
  EXPECT_EQ(AuditLog(folder_.path(), later, cancel_).ask("restart: x", "folder", [](std::uint32_t) {}), 61U);
}

TEST_F(Shared, AFileThatIsLargeBeginsAnew) {
  const SharedFolder folder(folder_.path());
  folder.append(kOrdersFile, "one", 5);
  folder.append(kOrdersFile, "two", 5);
  EXPECT_EQ(orders(), "one\ntwo\n");
  folder.append(kOrdersFile, "three", 5);
  EXPECT_EQ(orders(), "three\n");
  EXPECT_EQ(core::read_text_file(folder_ / "host-to-vm.txt.1"), "one\ntwo\n");
}

TEST_F(Shared, WhatIsNewIsReadAlsoFromANewFile) {
  const SharedFolder folder(folder_.path());
  Follower early(folder, Follower::From::kEnd);
  EXPECT_EQ(early.read(), "");
  say("one\n");
  EXPECT_EQ(early.read(), "one\n");
  Follower late(folder, Follower::From::kEnd);
  Follower all(folder, Follower::From::kBeginning);
  EXPECT_EQ(late.read(), "");
  EXPECT_EQ(all.read(), "one\n");
  say("two\n");
  fs::rename(folder_ / kReportFile, folder_ / "vm-to-host.txt.1");
  say("three\n");
  EXPECT_EQ(late.read(), "two\n");
  EXPECT_EQ(late.read(), "three\n");
  EXPECT_EQ(late.read(), "");
  fs::resize_file(folder_ / kReportFile, 0);
  say("4\n");
  EXPECT_EQ(late.read(), "4\n");
}

TEST_F(Shared, TheFolderIsTheOneWhoseTagIsShared) {
  Settings settings;
  settings.shares = {{folder_.path(), "other", false}};
  EXPECT_EQ(shared_share(settings), nullptr);
  EXPECT_THROW(route_to(settings, folder_.path(), false), core::Error);
  EXPECT_EQ(route_to(settings, folder_.path(), true).way, Way::kAgent);
  settings.shares.push_back({folder_.path(), "shared", false});
  EXPECT_EQ(route_to(settings, folder_.path(), false).way, Way::kFolder);
  std::ofstream(folder_ / kControlSocket) << "";
  EXPECT_EQ(route_to(settings, folder_.path(), true).way, Way::kAgent) << "nothing listens";
  say("listening\n");
  EXPECT_EQ(route_to(settings, folder_.path(), true).way, Way::kFolder);
  settings.shares.back().read_only = true;
  EXPECT_EQ(route_to(settings, folder_.path(), true).way, Way::kAgent);
  EXPECT_THROW(route_to(settings, folder_.path(), false), core::Error);
}

}  // namespace
}  // namespace imgforge::machines
