#include "builder/machines/supervisor/duties/autoscale.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/bytes.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

constexpr std::uint64_t kGrain = 16U << 20;      // changes are whole multiples
constexpr std::uint64_t kLeastStep = 64U << 20;  // that it is given
constexpr unsigned kIdleLooks = 6;
constexpr std::uint64_t kImpossible = 1ULL << 50;

std::uint64_t rounded_down(std::uint64_t bytes) {
  return bytes / kGrain * kGrain;
}

/// Percent of `all` rounded down, without overflow.
std::uint64_t share_of(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0 : std::min(part, all) / ((all + 99) / 100);
}

}  // namespace

std::optional<std::uint64_t> available_memory(const core::Json& stats) {
  try {
    if (stats.at("last-update").get<std::int64_t>() == 0) return std::nullopt;
    const auto value = stats.at("stats").at("stat-available-memory").get<std::uint64_t>();
    return value < kImpossible ? std::optional(value) : std::nullopt;
  } catch (const core::Json::exception&) {
    return std::nullopt;
  }
}

std::optional<MemoryChange> Autoscaler::look(const MemoryView& view) {
  const std::uint64_t share = share_of(view.available, view.given);
  const std::string why = fmt::format("{} % of {} was free", share, core::Bytes{view.given}.to_string());
  if (view.given < policy_.least) return MemoryChange{policy_.least, "it has less than it shall have"};
  if (view.given > policy_.most) return MemoryChange{policy_.most, "it has more than it shall have"};
  if (share < policy_.free_below) {
    idle_looks_ = 0;
    const std::uint64_t more = std::max(rounded_down(view.given / 4), kLeastStep);
    const std::uint64_t wanted = std::min(view.given + more, policy_.most);
    if (wanted <= view.given) return std::nullopt;
    return MemoryChange{wanted, why};
  }
  // What is free after the next step down has to be well above the mark that gives again.
  const std::uint64_t less = std::max(rounded_down(view.given / 8), kGrain);
  const std::uint64_t wanted =
      std::max(view.given > less ? rounded_down(view.given - less) : 0, policy_.least);
  const std::uint64_t taken = view.given > wanted ? view.given - wanted : 0;
  const bool idle = taken >= kGrain && view.available > taken &&
                    share_of(view.available - taken, wanted) >= 2ULL * policy_.free_below;
  idle_looks_ = idle ? idle_looks_ + 1 : 0;
  if (idle_looks_ < kIdleLooks) return std::nullopt;
  idle_looks_ = 0;
  return MemoryChange{wanted, why};
}

}  // namespace imgforge::machines
