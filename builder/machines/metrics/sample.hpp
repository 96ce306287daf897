// What a running machine uses: counters at a moment, how they are read out of what the kernel and QEMU say,
// and the use between two moments. What nobody knows has no value, and is never taken for 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "builder/machines/agent/replies.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::machines {

/// Since the machine was started; bytes and operations.
struct DiskCounters {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::uint64_t operations = 0;
};

struct Sample {
  double at = 0;                          ///< seconds, of a clock that never goes back
  std::optional<double> processor;        ///< seconds that QEMU's process had a processor
  std::optional<std::uint64_t> resident;  ///< bytes of the host's memory that it holds
  std::optional<std::uint64_t> given;     ///< bytes that the guest may use now
  std::optional<std::uint64_t> free;      ///< bytes of these that the guest calls available
  std::optional<DiskCounters> disk;
  std::optional<NetworkBytes> network;  ///< says the guest
};

/// Use per second between two samples.
struct Use {
  std::optional<double> processor;  ///< 1: all of one core
  std::optional<std::uint64_t> resident;
  std::optional<std::uint64_t> given;
  std::optional<std::uint64_t> free;
  std::optional<double> bytes_read;
  std::optional<double> bytes_written;
  std::optional<double> disk_operations;
  std::optional<double> received;
  std::optional<double> sent;
};

/// A counter that went back, as after a restart, says nothing about the time between.
Use use_between(const Sample& before, const Sample& now);

// Each gives nothing for a text that says something else.
/// utime and stime of /proc/PID/stat (proc(5)), in seconds.
std::optional<double> parse_processor(std::string_view stat, long ticks_per_second);
/// The second number of /proc/PID/statm (proc(5)), in bytes.
std::optional<std::uint64_t> parse_resident(std::string_view statm, long page_size);

// QEMU's answers (docs/interop/qemu-qmp-ref).
/// query-blockstats: all disks together.
std::optional<DiskCounters> parse_disks(const core::Json& reply);
/// query-balloon.
std::optional<std::uint64_t> parse_given(const core::Json& reply);
/// Property guest-stats of virtio-balloon: what the guest calls available, else free. `waits` is told whether
/// the guest was never asked.
std::optional<std::uint64_t> parse_guest_free(const core::Json& reply, bool& waits);

/// {"processor": 0.25, ...}: every member is there, null where nobody knows.
core::Json as_json(const Use& use);

}  // namespace imgforge::machines
