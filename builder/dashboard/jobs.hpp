// Work that may take long, each on a thread of its own, whose results are taken by the thread that serves.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "builder/dashboard/answer.hpp"

namespace imgforge::dashboard {

class Jobs {
 public:
  using Id = std::uint64_t;
  static constexpr std::size_t kMost = 16;

  /// `wake` is called, on the job's thread, when a result is there.
  explicit Jobs(std::function<void()> wake) : wake_(std::move(wake)) {}
  /// Waits for all of them.
  ~Jobs();

  /// False when there are too many already. `work` must not throw.
  bool begin(Id id, std::function<Answer()> work);
  /// The results that came since the last call.
  std::vector<std::pair<Id, Answer>> finished();

 private:
  std::function<void()> wake_;
  std::mutex mutex_;
  std::map<Id, std::thread> running_;
  std::vector<std::pair<Id, Answer>> done_;
};

}  // namespace imgforge::dashboard
