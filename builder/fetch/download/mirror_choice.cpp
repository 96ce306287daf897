#include "builder/fetch/download/mirror_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace imgforge::fetch {
namespace {

core::Error with_attempts(const core::Error& error, int attempts) {
  if (attempts < 2) return error;
  core::Error counted(error.kind(), fmt::format("{} ({} attempts)", error.message(), attempts));
  return counted.hint(error.hint()).quote(error.quote());
}

}  // namespace

MirrorChoice::MirrorChoice(const std::vector<std::string>& urls, ServerHealth& health,
                           const HttpOptions& options)
    : health_(health), options_(options) {
  for (const std::string& url : urls) mirrors_.push_back({.url = url});
}

Mirror* MirrorChoice::pick(Time now, bool need_ranges) {
  Mirror* best = nullptr;
  const auto rank = [this](const Mirror& mirror) {
    return std::tuple(mirror.suspect, mirror.failures, health_.has_failed(mirror.url), mirror.active);
  };
  for (Mirror& mirror : mirrors_) {
    if (mirror.excluded || (need_ranges && mirror.no_ranges)) continue;
    if (std::max(mirror.ready, health_.ready(mirror.url)) > now) continue;
    if (best == nullptr || rank(mirror) < rank(*best)) best = &mirror;
  }
  return best;
}

bool MirrorChoice::all_excluded() const {
  return std::all_of(mirrors_.begin(), mirrors_.end(), [](const Mirror& mirror) { return mirror.excluded; });
}

bool MirrorChoice::any_ranges() const {
  return std::any_of(mirrors_.begin(), mirrors_.end(),
                     [](const Mirror& mirror) { return !mirror.excluded && !mirror.no_ranges; });
}

void MirrorChoice::failed(Mirror& mirror, Failure failure, Time now) {
  ++mirror.failures;
  const auto backoff = options_.backoff * (1 << std::min(mirror.failures - 1, 6));
  mirror.ready = now + backoff;
  health_.failed(mirror.url, std::min(failure.wait, options_.longest_wait), now);
  if (mirror.failures >= options_.attempts)
    exclude(mirror, with_attempts(failure.error, mirror.failures), failure.absent);
}

void MirrorChoice::exclude(Mirror& mirror, core::Error error, bool absent) {
  mirror.excluded = true;
  failures_.add(std::move(error), absent);
}

void MirrorChoice::progressed() {
  for (Mirror& mirror : mirrors_) mirror.failures = 0;
}

}  // namespace imgforge::fetch
