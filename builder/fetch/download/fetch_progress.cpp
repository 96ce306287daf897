#include "builder/fetch/download/fetch_progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kTellEvery = 1 << 20;

}  // namespace

void FetchProgress::add(std::uint64_t bytes) {
  bytes_ += bytes;
  arrived_ += bytes;
  if (arrived_ >= told_ + kTellEvery) tell();
}

void FetchProgress::take_back(std::uint64_t bytes) {
  bytes_ -= std::min(bytes, bytes_);
}

void FetchProgress::finish_one() {
  ++finished_;
  tell();
}

void FetchProgress::waiting(std::string_view why) {
  context_.progress.update(context_.step, why);
}

void FetchProgress::tell() {
  told_ = arrived_;
  std::string text;
  if (files_ > 1) {
    text = fmt::format("{} of {} files, {}", finished_, files_, core::Bytes{bytes_}.human());
  } else if (expected_ > bytes_) {
    text = fmt::format("{} of {}", core::Bytes{bytes_}.human(), core::Bytes{expected_}.human());
  } else {
    text = core::Bytes{bytes_}.human();
  }
  context_.progress.update(context_.step, text + speed());
}

/// " · 38 MB/s · 1 s left"; nothing in the first second, when it would say little.
std::string FetchProgress::speed() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
  if (seconds < 1 || arrived_ == 0) return {};
  const double rate = static_cast<double>(arrived_) / seconds;
  std::string text = fmt::format(" · {}/s", core::Bytes{static_cast<std::uint64_t>(rate)}.human());
  if (expected_ > bytes_)
    text += fmt::format(" · {:.0f} s left", static_cast<double>(expected_ - bytes_) / rate + 0.5);
  return text;
}

}  // namespace imgforge::fetch
