// Looks at all machines again and again, as long as somebody wants to know: one sampler a machine however
// many pages are open, and none while none is.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "builder/machines/metrics/sampler.hpp"
#include "builder/machines/registry/registry.hpp"
#include "core/cancel.hpp"
#include "core/json.hpp"

namespace imgforge::dashboard {

class Watcher {
 public:
  using Clock = std::chrono::steady_clock;
  /// Called on the watcher's thread with an event for all pages, a JSON object (api.schema.json).
  using Tell = std::function<void(const std::string& event)>;

  /// `registry` must outlive it.
  Watcher(const machines::Registry& registry, Tell tell);
  ~Watcher();

  /// How many pages want events.
  void set_pages(std::size_t count);
  /// All machines, looked at a moment ago at most; {"schema": 1, "machines": [...]}.
  core::Json machines();
  /// One of them with its samples of the last minutes; nothing when there is none.
  std::optional<core::Json> machine(const std::string& name);

 private:
  struct Point {
    double time;  ///< Unix time, seconds
    machines::Use use;
  };
  struct Known {
    explicit Known(const std::filesystem::path& folder) : sampler(folder) {}
    machines::Sampler sampler;
    core::Json row;
    std::deque<Point> points;
  };

  void work();
  void look();
  void tell_all(double time);
  void want_fresh(std::unique_lock<std::mutex>& lock);
  bool is_wanted() const;

  const machines::Registry& registry_;
  Tell tell_;
  core::CancelToken cancel_;
  std::mutex looking_;  ///< held while a look changes `known_`
  std::map<std::string, Known> known_;
  std::string told_;  ///< the machines as they were told last
  std::mutex mutex_;  ///< of what follows
  std::condition_variable changed_;
  std::size_t pages_ = 0;
  bool newcomer_ = false;  ///< somebody knows nothing yet
  bool ends_ = false;
  std::optional<Clock::time_point> asked_;  ///< last, by somebody who does not stay
  std::optional<Clock::time_point> looked_;
  std::thread thread_;
};

}  // namespace imgforge::dashboard
