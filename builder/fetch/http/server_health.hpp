// What a run has learnt about servers: which ones failed, and until when they asked to be left alone. A
// server that failed is tried after all others for the rest of the run, so that one dead mirror costs one
// time-out and not one for every file.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace imgforge::fetch {

class ServerHealth {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// The server of this URL failed as a server (no answer, 5xx, stalled); it is left alone for `wait`.
  void failed(const std::string& url, std::chrono::milliseconds wait, Time now);
  /// When the server of this URL may be asked again; a time that is over for most.
  Time ready(const std::string& url) const;
  bool has_failed(const std::string& url) const;
  /// The URLs in the order given, those of servers that failed behind the others.
  std::vector<std::string> best_first(std::vector<std::string> urls) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Time> failed_;  ///< scheme, host and port; ready again
};

}  // namespace imgforge::fetch
