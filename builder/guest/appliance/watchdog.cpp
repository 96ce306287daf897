#include "builder/guest/appliance/watchdog.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

namespace imgforge::guest {
namespace {

constexpr std::chrono::milliseconds kTick{50};

std::optional<std::uint64_t> free_space(const std::filesystem::path& path) {
  struct statvfs info {};
  if (::statvfs(path.c_str(), &info) != 0) return std::nullopt;
  // The reserve of the file system is there for root alone.
  const auto blocks = ::geteuid() == 0 ? info.f_bfree : info.f_bavail;
  return static_cast<std::uint64_t>(blocks) * info.f_frsize;
}

}  // namespace

Watchdog::Watchdog(std::filesystem::path scratch, std::function<bool()> cancelled, std::function<void()> kill)
    : scratch_(std::move(scratch)),
      cancelled_(std::move(cancelled)),
      kill_(std::move(kill)),
      thread_([this] { watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Watchdog::set_kill(std::function<void()> kill) {
  const std::lock_guard lock(mutex_);
  kill_ = std::move(kill);
}

std::optional<core::Error> Watchdog::verdict() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

Watchdog::Call::Call(Watchdog& dog, std::string name, std::chrono::milliseconds limit) : dog_(dog) {
  {
    const std::lock_guard lock(dog_.mutex_);
    dog_.call_ = std::move(name);
    dog_.limit_ = limit;
    dog_.deadline_ = std::chrono::steady_clock::now() + limit;
  }
  dog_.wake_.notify_all();
}

Watchdog::Call::~Call() {
  const std::lock_guard lock(dog_.mutex_);
  dog_.call_.clear();
}

std::optional<core::Error> Watchdog::judge() const {
  if (cancelled_()) return core::Error(core::Kind::kInterrupted, "interrupted");
  if (std::chrono::steady_clock::now() > deadline_) {
    return core::Error(core::Kind::kTimeout, fmt::format("the sandbox did not finish within {} s: {}",
                                                         limit_.count() / 1000, call_));
  }
  if (const auto free = free_space(scratch_); free && *free < kLeastFree.value) {
    return core::Error(core::Kind::kNoSpace,
                       fmt::format("{} is full: the sandbox cannot go on with: {}", scratch_.native(), call_))
        .hint("free some space, or choose another cache directory with --cache-dir");
  }
  return std::nullopt;
}

void Watchdog::watch() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (call_.empty()) {
      wake_.wait(lock);
      continue;
    }
    if (!verdict_) verdict_ = judge();
    if (verdict_) kill_();
    wake_.wait_for(lock, kTick);
  }
}

}  // namespace imgforge::guest
