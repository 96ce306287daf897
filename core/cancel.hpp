// Cancellation by Ctrl-C or a parent: a token that long work polls. Signals set it; the second one ends
// the process at once.
#pragma once

#include <atomic>
#include <memory>

namespace imgforge::core {

class CancelToken {
 public:
  CancelToken() : state_(std::make_shared<std::atomic<int>>(0)) {}
  /// Token set by SIGINT, SIGTERM and SIGHUP. Installs the handlers once; later calls give the same token.
  static CancelToken from_signals();

  void cancel(int signal_number = 2) const { state_->store(signal_number); }
  bool cancelled() const { return state_->load() != 0; }
  /// Number of the signal that cancelled (0: none).
  int signal_number() const { return state_->load(); }
  /// Throws kInterrupted when cancelled.
  void check() const;
  /// check() of the token of from_signals(), when that was ever asked for: for loops over the bytes of files,
  /// which stand too deep for a token of their own.
  static void check_signals();

 private:
  std::shared_ptr<std::atomic<int>> state_;
};

}  // namespace imgforge::core
