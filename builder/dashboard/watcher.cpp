#include "builder/dashboard/watcher.hpp"

#include <signal.h>

#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/state.hpp"

namespace imgforge::dashboard {
namespace {

using core::Json;
using std::chrono::milliseconds;

constexpr milliseconds kInterval{1000};
constexpr milliseconds kPatience{1500};   // for the answers of all machines
constexpr milliseconds kAskedFor{10000};  // somebody who asked may ask again
constexpr milliseconds kFresh{3000};
constexpr milliseconds kFirstLook{5000};
constexpr std::size_t kMostPoints = 300;  // five minutes

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What is told of a machine but its use.
Json row_of(const machines::Entry& entry, const std::optional<machines::Look>& look) {
  const bool runs = look.has_value() || machines::is_running(entry.folder);
  Json row{{"name", entry.name}, {"state", machines::state_of(entry, runs)}};
  if (const auto obstacle = machines::obstacle_of(entry)) {
    row["problem"] = obstacle->message();
    if (!obstacle->hint().empty()) row["hint"] = obstacle->hint();
  }
  if (entry.settings) {
    const machines::Settings& settings = *entry.settings;
    row["stands_on"] = settings.origin.text();
    row["verified"] = settings.origin.is_release();
    row["cpus"] = settings.cpus;
    row["memory"] = settings.memory;
    row["firmware"] = settings.firmware;
    row["graphics"] = settings.graphics;
    row["disposable"] = settings.disposable;
  }
  if (look) {
    const Json& status = look->status;
    for (const char* name : {"states", "paused", "stopping", "accelerator", "agent"})
      row[name] = status.value(name, Json());
  }
  return row;
}

Json json_of(double time, const machines::Use& use) {
  Json point{{"time", time}};
  point.update(machines::as_json(use));
  return point;
}

std::string text_of(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

Watcher::Watcher(const machines::Registry& registry, Tell tell)
    : registry_(registry), tell_(std::move(tell)), thread_([this] { work(); }) {}

Watcher::~Watcher() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  cancel_.cancel();
  changed_.notify_all();
  thread_.join();
}

void Watcher::set_pages(std::size_t count) {
  const std::lock_guard lock(mutex_);
  newcomer_ = newcomer_ || count > pages_;
  pages_ = count;
  changed_.notify_all();
}

bool Watcher::is_wanted() const {
  return pages_ > 0 || (asked_ && Clock::now() - *asked_ < kAskedFor);
}

void Watcher::work() {
  std::unique_lock lock(mutex_);
  while (!ends_) {
    if (!is_wanted()) {
      changed_.wait(lock, [&] { return ends_ || is_wanted(); });
      continue;
    }
    const auto begin = Clock::now();
    lock.unlock();
    try {
      look();
    } catch (const std::exception&) {  // interrupted, or the registry cannot be read now
    }
    lock.lock();
    looked_ = Clock::now();
    changed_.notify_all();
    changed_.wait_until(lock, begin + kInterval, [&] { return ends_ || newcomer_; });
  }
}

void Watcher::look() {
  const std::vector<machines::Entry> entries = registry_.entries();
  const std::lock_guard lock(looking_);
  std::map<std::string, Known> kept;
  for (const machines::Entry& entry : entries) {
    auto node = known_.extract(entry.name);
    const auto at =
        node ? kept.insert(std::move(node)).position : kept.try_emplace(entry.name, entry.folder).first;
    at->second.sampler.ask();
  }
  known_ = std::move(kept);
  const auto deadline = Clock::now() + kPatience;
  const double time = unix_time();
  for (const machines::Entry& entry : entries) {
    Known& known = known_.at(entry.name);
    const std::optional<machines::Look> found = known.sampler.take(deadline, cancel_);
    known.row = row_of(entry, found);
    if (!found) continue;
    known.points.push_back({time, found->use});
    if (known.points.size() > kMostPoints) known.points.pop_front();
  }
  tell_all(time);
}

/// Machines when they changed, or somebody knows none yet; then what those that run use.
void Watcher::tell_all(double time) {
  Json rows = Json::array();
  Json samples = Json::array();
  for (const auto& [name, known] : known_) {
    rows.push_back(known.row);
    if (known.points.empty() || known.points.back().time != time) continue;
    Json sample{{"name", name}};
    sample.update(json_of(time, known.points.back().use));
    samples.push_back(std::move(sample));
  }
  std::string machines = text_of({{"event", "machines"}, {"machines", std::move(rows)}});
  {
    const std::lock_guard lock(mutex_);
    if (newcomer_) told_.clear();
    newcomer_ = false;
  }
  if (machines != told_) {
    tell_(machines);
    told_ = std::move(machines);
  }
  tell_(text_of({{"event", "samples"}, {"time", time}, {"samples", std::move(samples)}}));
}

void Watcher::want_fresh(std::unique_lock<std::mutex>& lock) {
  asked_ = Clock::now();
  changed_.notify_all();
  changed_.wait_for(lock, kFirstLook, [&] { return ends_ || (looked_ && Clock::now() - *looked_ < kFresh); });
}

Json Watcher::machines() {
  {
    std::unique_lock lock(mutex_);
    want_fresh(lock);
  }
  const std::lock_guard lock(looking_);
  Json rows = Json::array();
  for (const auto& [name, known] : known_) rows.push_back(known.row);
  return {{"schema", 1}, {"machines", std::move(rows)}};
}

std::optional<Json> Watcher::machine(const std::string& name) {
  {
    std::unique_lock lock(mutex_);
    want_fresh(lock);
  }
  const std::lock_guard lock(looking_);
  const auto found = known_.find(name);
  if (found == known_.end()) return std::nullopt;
  Json samples = Json::array();
  for (const Point& point : found->second.points) samples.push_back(json_of(point.time, point.use));
  return Json{{"schema", 1}, {"machine", found->second.row}, {"samples", std::move(samples)}};
}

}  // namespace imgforge::dashboard
