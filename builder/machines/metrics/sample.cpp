#include "builder/machines/metrics/sample.hpp"

#include <charconv>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Json;

constexpr std::size_t kUserTime = 11;  // of /proc/PID/stat, counted from the state behind the name
constexpr std::size_t kSystemTime = 12;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A count that is one; QEMU says 2^64-1 for what it does not know.
std::optional<std::uint64_t> count(const Json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  if (!object.is_object() || found == object.end() || !found->is_number_integer()) return std::nullopt;
  if (!found->is_number_unsigned() && found->get<std::int64_t>() < 0) return std::nullopt;
  const auto value = found->get<std::uint64_t>();
  if (value > INT64_MAX) return std::nullopt;
  return value;
}

std::optional<double> rate(std::uint64_t before, std::uint64_t now, double seconds) {
  if (now < before) return std::nullopt;
  return static_cast<double>(now - before) / seconds;
}

template <class Value>
Json known(const std::optional<Value>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::optional<double> parse_processor(std::string_view stat, long ticks_per_second) {
  const std::size_t name_end = stat.rfind(") ");  // a name may hold blanks and brackets
  if (name_end == std::string_view::npos || ticks_per_second <= 0) return std::nullopt;
  const std::vector<std::string> words = core::split(stat.substr(name_end + 2), ' ');
  if (words.size() <= kSystemTime) return std::nullopt;
  const auto user = number_of(words[kUserTime]);
  const auto system = number_of(words[kSystemTime]);
  if (!user || !system) return std::nullopt;
  return (static_cast<double>(*user) + static_cast<double>(*system)) / static_cast<double>(ticks_per_second);
}

std::optional<std::uint64_t> parse_resident(std::string_view statm, long page_size) {
  const std::vector<std::string> words = core::split(statm, ' ');
  if (words.size() < 2 || page_size <= 0) return std::nullopt;
  const auto pages = number_of(words[1]);
  if (!pages || *pages > (UINT64_MAX >> 16)) return std::nullopt;
  return *pages * static_cast<std::uint64_t>(page_size);
}

std::optional<DiskCounters> parse_disks(const Json& reply) {
  if (!reply.is_array()) return std::nullopt;
  DiskCounters all;
  for (const Json& disk : reply) {
    if (!disk.is_object()) return std::nullopt;
    const Json stats = disk.value("stats", Json());
    const auto read = count(stats, "rd_bytes");
    const auto written = count(stats, "wr_bytes");
    const auto reads = count(stats, "rd_operations");
    const auto writes = count(stats, "wr_operations");
    if (!read || !written || !reads || !writes) return std::nullopt;
    all.bytes_read += *read;
    all.bytes_written += *written;
    all.operations += *reads + *writes;
  }
  return all;
}

std::optional<std::uint64_t> parse_given(const Json& reply) {
  return count(reply, "actual");
}

std::optional<std::uint64_t> parse_guest_free(const Json& reply, bool& waits) {
  waits = false;
  if (!reply.is_object()) return std::nullopt;
  waits = count(reply, "last-update") == std::uint64_t{0};
  const Json stats = reply.value("stats", Json());
  const auto available = count(stats, "stat-available-memory");
  return available ? available : count(stats, "stat-free-memory");
}

Use use_between(const Sample& before, const Sample& now) {
  Use use;
  use.resident = now.resident;
  use.given = now.given;
  use.free = now.free;
  const double seconds = now.at - before.at;
  if (seconds <= 0) return use;
  if (before.processor && now.processor && *now.processor >= *before.processor)
    use.processor = (*now.processor - *before.processor) / seconds;
  if (before.disk && now.disk) {
    use.bytes_read = rate(before.disk->bytes_read, now.disk->bytes_read, seconds);
    use.bytes_written = rate(before.disk->bytes_written, now.disk->bytes_written, seconds);
    use.disk_operations = rate(before.disk->operations, now.disk->operations, seconds);
  }
  if (before.network && now.network) {
    use.received = rate(before.network->received, now.network->received, seconds);
    use.sent = rate(before.network->sent, now.network->sent, seconds);
  }
  return use;
}

Json as_json(const Use& use) {
  return {{"processor", known(use.processor)},
          {"memory_given", known(use.given)},
          {"memory_resident", known(use.resident)},
          {"memory_free", known(use.free)},
          {"disk_read", known(use.bytes_read)},
          {"disk_written", known(use.bytes_written)},
          {"disk_operations", known(use.disk_operations)},
          {"network_received", known(use.received)},
          {"network_sent", known(use.sent)}};
}

}  // namespace imgforge::machines
