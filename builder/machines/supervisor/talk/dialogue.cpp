#include "builder/machines/supervisor/talk/dialogue.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/random.hpp"

namespace imgforge::machines {
namespace {

constexpr std::size_t kLongestLine = 48 << 20;
constexpr std::chrono::milliseconds kEventsApart{1500};  // QEMU: one second for VSERPORT_CHANGE
constexpr char kSyncByte = '\xff';  // begins what follows a synchronisation, and is in no JSON

}  // namespace

Dialogue::Dialogue(core::Fd socket, Partner partner)
    : channel_(std::move(socket), kLongestLine), partner_(partner) {}

void Dialogue::ask(const core::Json& question, std::chrono::milliseconds patience, Take take) {
  if ((!open_ && sync_ == 0 && !may_come_back()) || channel_.is_closed()) {
    take({"",
          partner_ == Partner::kAgent ? "the agent in the machine does not answer" : "QEMU does not answer",
          false});
    return;
  }
  questions_.push_back({question.dump() + "\n", patience, std::move(take)});
  if (questions_.size() == 1) until_ = Clock::now() + patience;
  send_next();
}

void Dialogue::send_next() {
  if (asked_ || sync_ != 0 || may_come_back() || questions_.empty()) return;
  asked_ = true;
  channel_.send(questions_.front().line);
}

/// The agent answers with the number, whatever it was asked and not answered before (guest-sync-delimited).
void Dialogue::synchronise() {
  std::array<std::uint8_t, 4> random{};
  core::random_bytes(random);
  sync_ = 1;
  for (const std::uint8_t byte : random) sync_ = sync_ << 8 | byte;
  asked_ = false;
  const core::Json question{{"execute", "guest-sync-delimited"}, {"arguments", {{"id", sync_}}}};
  channel_.send(kSyncByte + question.dump() + "\n");
}

void Dialogue::set_port(bool open) {
  if (partner_ != Partner::kAgent) return;
  const bool was_there = std::exchange(open_, false) || sync_ != 0;
  sync_ = 0;
  if (was_there) fail_all("the agent in the machine ended");
  back_until_ = was_there && !open ? Clock::now() + kEventsApart : Clock::time_point();
  if (open) synchronise();
}

void Dialogue::finish(const Answer& answer) {
  const Take take = std::move(questions_.front().take);
  questions_.pop_front();
  asked_ = false;
  if (!questions_.empty()) until_ = Clock::now() + questions_.front().patience;
  take(answer);
}

void Dialogue::fail_all(const std::string& why) {
  std::deque<Question> failed = std::exchange(questions_, {});
  asked_ = false;
  for (const Question& question : failed) question.take({"", why, false});
}

void Dialogue::work() {
  channel_.work();
  while (auto line = channel_.next_line()) take_line(*std::move(line));
  if (channel_.is_closed()) {
    open_ = false;
    fail_all(partner_ == Partner::kAgent ? "the agent's channel was closed" : "QEMU hung up");
    return;
  }
  send_next();
}

void Dialogue::begin() {
  begun_ = true;
  if (on_open) on_open();
}

void Dialogue::take_line(std::string line) {
  if (partner_ == Partner::kAgent && sync_ != 0) {
    const std::size_t start = line.rfind(kSyncByte);
    if (start == std::string::npos || line.size() > 200) return;  // an answer that nobody waits for any more
    try {
      const core::Json answer = core::parse_json(std::string_view(line).substr(start + 1), "the agent");
      if (answer.at("return").get<std::int64_t>() != sync_) return;
    } catch (const std::exception&) {
      return;
    }
    sync_ = 0;
    const bool was_open = std::exchange(open_, true);
    if (!was_open) begin();
    return;
  }
  if (partner_ == Partner::kMonitor) {
    core::Json message;
    try {
      message = core::parse_json(line, "QEMU", {kLongestLine, 64});
    } catch (const core::Error&) {
      return;
    }
    if (message.contains("QMP")) {
      open_ = true;
      ask({{"execute", "qmp_capabilities"}}, std::chrono::seconds(20), [this](const Answer& answer) {
        if (answer.failure.empty()) begin();
      });
      return;
    }
    if (message.contains("event")) {
      if (on_event) on_event(message);
      return;
    }
  }
  if (asked_) finish({std::move(line), "", false});
}

void Dialogue::pass_time(Clock::time_point now) {
  if (may_come_back() && now >= back_until_) {
    back_until_ = {};
    fail_all("the agent in the machine does not answer");
  }
  if (questions_.empty() || now < until_) return;
  // It may still answer: that is skipped.
  if (partner_ == Partner::kAgent && asked_) synchronise();
  finish({"",
          partner_ == Partner::kAgent ? "the agent in the machine did not answer in time"
                                      : "QEMU did not answer in time",
          true});
}

std::optional<Dialogue::Clock::time_point> Dialogue::deadline() const {
  if (questions_.empty()) return std::nullopt;
  return may_come_back() ? std::min(until_, back_until_) : until_;
}

}  // namespace imgforge::machines
