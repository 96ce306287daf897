#include "core/cancel.hpp"

#include <signal.h>
#include <unistd.h>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

std::atomic<int>* g_signal_state = nullptr;  // what the handler may touch: a lock-free atomic

void on_signal(int number) {
  if (g_signal_state->exchange(number) != 0) {
    ::signal(number, SIG_DFL);
    ::raise(number);
  }
}

}  // namespace

CancelToken CancelToken::from_signals() {
  static const CancelToken token;
  static const bool installed = [] {
    g_signal_state = token.state_.get();
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
    return true;
  }();
  static_cast<void>(installed);
  return token;
}

void CancelToken::check_signals() {
  if (g_signal_state != nullptr && g_signal_state->load() != 0)
    throw Error(Kind::kInterrupted, "interrupted");
}

void CancelToken::check() const {
  if (cancelled()) throw Error(Kind::kInterrupted, "interrupted");
}

}  // namespace imgforge::core
