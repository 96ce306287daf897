#include "builder/machines/supervisor/duties/memory_watch.hpp"

#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

using core::Json;

constexpr std::chrono::seconds kInterval{5};
constexpr std::chrono::seconds kPatience{20};
constexpr const char* kBalloon = "/machine/peripheral/balloon";

/// What QEMU returned; nothing when it refused or did not answer.
std::optional<Json> returned(const Answer& answer) {
  try {
    const Json json = core::parse_json(answer.line, "QEMU");
    if (json.contains("return")) return json.at("return");
  } catch (const core::Error&) {
  }
  return std::nullopt;
}

}  // namespace

MemoryWatch::MemoryWatch(const Settings& settings)
    : policy_(settings.autoscale), begin_(settings.memory), scaler_(settings.autoscale) {
  restart();
}

void MemoryWatch::restart() {
  if (policy_.most == 0) return;
  begun_ = polling_ = false;
  scaler_ = Autoscaler(policy_);
  next_ = Clock::now() + kInterval;
}

void MemoryWatch::work(Dialogue& monitor, Clock::time_point now) {
  if (!next_ || now < *next_) return;
  next_ = now + kInterval;
  if (!polling_) {
    polling_ = true;
    monitor.ask(
        {{"execute", "qom-set"},
         {"arguments",
          {{"path", kBalloon}, {"property", "guest-stats-polling-interval"}, {"value", kInterval.count()}}}},
        kPatience, [](const Answer&) {});
  }
  monitor.ask({{"execute", "qom-get"}, {"arguments", {{"path", kBalloon}, {"property", "guest-stats"}}}},
              kPatience, [this, &monitor](const Answer& answer) {
                const auto stats = returned(answer);
                if (!stats) return;
                if (const auto available = available_memory(*stats)) take(monitor, *available);
              });
}

void MemoryWatch::take(Dialogue& monitor, std::uint64_t available) {
  if (!begun_) {  // its driver is there now
    begun_ = true;
    return give(monitor, {begin_, "it began"});
  }
  monitor.ask({{"execute", "query-balloon"}}, kPatience, [this, &monitor, available](const Answer& answer) {
    const auto balloon = returned(answer);
    if (!balloon || !balloon->contains("actual")) return;
    const auto given = balloon->at("actual").get<std::uint64_t>();
    if (const auto change = scaler_.look({given, available})) give(monitor, *change);
  });
}

void MemoryWatch::give(Dialogue& monitor, const MemoryChange& change) {
  monitor.ask({{"execute", "balloon"}, {"arguments", {{"value", change.bytes}}}}, kPatience,
              [this, change](const Answer& answer) {
                if (returned(answer) && on_change) on_change(change);
              });
}

}  // namespace imgforge::machines
