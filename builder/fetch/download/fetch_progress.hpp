// What the watcher is told while files come: one sum over all files of a call, with speed and what is left
// where sizes are known.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "builder/fetch/http/context.hpp"

namespace imgforge::fetch {

class FetchProgress {
 public:
  FetchProgress(const Context& context, std::size_t files) : context_(context), files_(files) {}
  /// So many bytes more are expected in all.
  void expect(std::uint64_t bytes) { expected_ += bytes; }
  /// Bytes that are there already.
  void have(std::uint64_t bytes) { bytes_ += bytes; }
  void add(std::uint64_t bytes);
  void take_back(std::uint64_t bytes);
  void finish_one();
  /// Nothing moves for a reason that the watcher should know.
  void waiting(std::string_view why);

 private:
  using Clock = std::chrono::steady_clock;
  void tell();
  std::string speed() const;

  const Context& context_;
  std::size_t files_;
  std::size_t finished_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t expected_ = 0;
  std::uint64_t arrived_ = 0;  ///< in this call
  std::uint64_t told_ = 0;
  Clock::time_point begin_ = Clock::now();
};

}  // namespace imgforge::fetch
