#include "builder/machines/supervisor/duties/key_handover.hpp"

#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

constexpr std::chrono::milliseconds kLook{100};  // between two looks whether it is done
constexpr std::chrono::seconds kPatience{180};
constexpr std::chrono::seconds kPause{5};
constexpr unsigned kMostTries = 5;
constexpr std::size_t kLongest = 64 << 10;

/// The member "user" of what the program printed; empty when it failed.
std::string user_in(const std::string& said) {
  try {
    return core::parse_json(said, "vm keys").at("user").get<std::string>();
  } catch (const std::exception&) {
    return {};
  }
}

}  // namespace

KeyHandover::KeyHandover(core::Command command) : command_(std::move(command)) {
  command_.ends_with_caller = true;
}

void KeyHandover::restart() {
  running_.reset();
  said_.clear();
  user_.clear();
  tries_ = 0;
  again_.reset();
}

bool KeyHandover::work(bool ready, Clock::time_point now) {
  if (running_) {
    said_ += running_->read(std::chrono::milliseconds(0));
    const std::optional<int> code = running_->poll_exit();
    if (!code && now < until_ && said_.size() <= kLongest) return false;
    said_ += running_->read(std::chrono::milliseconds(0));
    running_.reset();
    if (code == 0) user_ = user_in(said_);
    if (user_.empty()) again_ = now + kPause;
    return !user_.empty();
  }
  const bool due = !command_.program.empty() && user_.empty() && tries_ < kMostTries && ready;
  if (!due || (again_ && now < *again_)) return false;
  ++tries_;
  said_.clear();
  until_ = now + kPatience;
  try {
    running_.emplace(command_);
  } catch (const core::Error&) {
    tries_ = kMostTries;  // the program is not there any more
  }
  return false;
}

std::optional<KeyHandover::Clock::time_point> KeyHandover::deadline() const {
  if (running_) return Clock::now() + kLook;
  // Once that is over it begins with the next thing that makes the machine ready for it.
  return again_ && *again_ > Clock::now() ? again_ : std::nullopt;
}

}  // namespace imgforge::machines
