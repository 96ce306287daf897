#include "builder/machines/supervisor/duties/hook.hpp"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::milliseconds kLook{100};  // between two looks whether a call is done
constexpr std::size_t kMostWaiting = 64;

bool is_url(const std::string& target) {
  return target.starts_with("http://") || target.starts_with("https://");
}

core::Command command_for(const std::string& target, const std::string& event) {
  core::Command command;
  command.ends_with_caller = true;
  if (is_url(target)) {
    command.program = "curl";
    command.args = {"--silent",   "--fail", "--header", "Content-Type: application/json",
                    "--data-raw", event,    "--",       target};
  } else {
    command.program = target;
    command.args = {event};
  }
  return command;
}

}  // namespace

void Hook::call(std::string event) {
  if (target_.empty() || events_.size() >= kMostWaiting) return;
  events_.push_back(std::move(event));
  if (!running_) begin(Clock::now());
}

void Hook::begin(Clock::time_point now) {
  const std::string event = std::move(events_.front());
  events_.pop_front();
  until_ = now + kPatience;
  try {
    running_.emplace(command_for(target_, event));
  } catch (const core::Error&) {
    running_.reset();  // it is not there any more; the machine goes on
  }
}

void Hook::work(Clock::time_point now) {
  if (running_) {
    static_cast<void>(running_->read(std::chrono::milliseconds(0)));
    if (!running_->poll_exit() && now < until_) return;
    running_.reset();
  }
  while (!running_ && !events_.empty()) begin(now);
}

std::optional<Hook::Clock::time_point> Hook::deadline() const {
  return running_ ? std::optional(Clock::now() + kLook) : std::nullopt;
}

void Hook::finish() {
  const auto end = Clock::now() + kPatience;
  while (running_ && Clock::now() < end) {
    ::usleep(10000);
    work(Clock::now());
  }
}

void check_hook(const std::string& target) {
  if (target.empty()) return;
  if (is_url(target)) {
    if (core::find_program("curl").empty())
      throw core::Error(core::Kind::kMachine,
                        "curl is missing, which calls the hook " + core::escaped(target))
          .hint("apt-get install curl");
    return;
  }
  if (!target.starts_with('/') || ::access(target.c_str(), X_OK) != 0)
    throw core::Error(core::Kind::kUsage,
                      core::escaped(target) + " is no program that can be called as a hook")
        .hint("an absolute path, or a URL that begins with http:// or https://");
}

}  // namespace imgforge::machines
