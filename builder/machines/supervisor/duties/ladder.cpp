#include "builder/machines/supervisor/duties/ladder.hpp"

#include <algorithm>

#include "builder/vm/console/console_marks.hpp"

namespace imgforge::machines {
namespace {

constexpr std::size_t kSteps = 4;  // states that follow each other

}  // namespace

const std::vector<std::string>& state_names() {
  static const std::vector<std::string> names{"process", "firmware", "kernel", "init",
                                              "agent",   "ssh",      "ready"};
  return names;
}

bool includes(const std::vector<Reached>& reached, std::string_view wanted) {
  const auto& names = state_names();
  const auto place = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  const auto at = place(wanted);
  return std::any_of(reached.begin(), reached.end(), [&](const Reached& state) {
    return state.name == wanted || (at < static_cast<long>(kSteps) && place(state.name) > at);
  });
}

Ladder::Ladder(const std::vector<std::string>& expect) : start_(Clock::now()) {
  for (const std::string& pattern : expect) patterns_.emplace_back(pattern);
  if (patterns_.empty()) patterns_.emplace_back(vm::kLoginPrompt);
}

void Ladder::restart(Clock::time_point now) {
  met_ = 0;
  console_ = {};
  start_ = now;
  reached_.clear();
}

std::vector<Reached> Ladder::take(std::string_view raw, Clock::time_point now) {
  std::vector<Reached> fresh;
  if (raw.empty()) return fresh;
  add("firmware", now, fresh);
  const std::vector<std::string> lines = console_.feed(raw);
  if (met_ < patterns_.size())
    for (const std::string& line : lines) look_at(line, now, fresh);
  return fresh;
}

std::vector<Reached> Ladder::reach(std::string_view name, Clock::time_point now) {
  std::vector<Reached> fresh;
  add(name, now, fresh);
  return fresh;
}

void Ladder::look_at(const std::string& line, Clock::time_point now, std::vector<Reached>& fresh) {
  if (vm::shows_kernel(line)) add("kernel", now, fresh);
  if (vm::shows_init(line)) add("init", now, fresh);
  while (met_ < patterns_.size() && patterns_[met_].found_in(line)) ++met_;
  if (met_ == patterns_.size()) add("ready", now, fresh);
}

void Ladder::add(std::string_view name, Clock::time_point now, std::vector<Reached>& fresh) {
  const bool seen =
      std::any_of(reached_.begin(), reached_.end(), [&](const Reached& state) { return state.name == name; });
  if (seen) return;
  fresh.push_back({std::string(name), std::chrono::duration<double>(now - start_).count()});
  reached_.push_back(fresh.back());
}

}  // namespace imgforge::machines
