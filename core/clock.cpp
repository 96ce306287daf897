#include "core/clock.hpp"

#include <fmt/chrono.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::core {
namespace {

class RealClock : public Clock {
 public:
  UnixTime now() const override {
    return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  }
};

class RealSteadyClock : public SteadyClock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace

Clock& system_clock() {
  static RealClock clock;
  return clock;
}

SteadyClock& steady_clock() {
  static RealSteadyClock clock;
  return clock;
}

std::string compact_date(UnixTime time) {
  return fmt::format("{:%Y%m%d}", fmt::gmtime(time.time_since_epoch().count()));
}

std::string iso_time(UnixTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(time.time_since_epoch().count()));
}

UnixTime build_time(const Clock& clock) {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return clock.now();
  const std::string_view view(text);
  std::int64_t seconds = -1;
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), seconds);
  if (error != std::errc{} || end != view.data() + view.size() || seconds < 0) {
    throw Error(Kind::kUsage, "SOURCE_DATE_EPOCH is \"" + escaped(view, 60) + "\", not a number of seconds");
  }
  return UnixTime(std::chrono::seconds(seconds));
}

std::optional<std::int64_t> source_date_epoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return std::nullopt;
  return build_time(system_clock()).time_since_epoch().count();
}

}  // namespace imgforge::core
