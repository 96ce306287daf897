#include "builder/machines/shared/audit_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/file_bytes.hpp"
#include "core/iso_time.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::uint64_t kTail = 64 << 10;  // has the last number, and more than a minute's commands
constexpr std::uint32_t kLastNumber = 999'999'999;
constexpr std::chrono::seconds kMinute{60};
constexpr unsigned kLockTries = 1000;  // of 10 ms

/// What the last lines say. One that cannot be read (a crash cut it) says nothing.
struct Recent {
  std::uint32_t number = 0;
  unsigned in_a_minute = 0;
  bool ends_a_line = true;
};

Recent recent(int fd, core::UnixTime now) {
  const std::uint64_t size = core::file_size(fd, kAuditLog);
  std::string tail(std::min(size, kTail), '\0');
  tail.resize(core::read_at(fd, kAuditLog, size - tail.size(), std::as_writable_bytes(std::span(tail))));
  Recent out;
  out.ends_a_line = tail.empty() || tail.ends_with('\n');
  for (const std::string& line : core::split(tail, '\n')) {
    try {
      const Json row = core::parse_json(line, kAuditLog);
      if (!row.is_object() || !row.contains("number") || !row["number"].is_number_unsigned()) continue;
      out.number = std::max(out.number, static_cast<std::uint32_t>(std::min<std::uint64_t>(
                                            row["number"].get<std::uint64_t>(), kLastNumber)));
      if (!row.contains("asked") || !row.contains("time") || !row["time"].is_string()) continue;
      const auto time = core::parse_iso_time(row["time"].get<std::string>());
      if (time && *time <= now && now - *time < kMinute) ++out.in_a_minute;
    } catch (const Error&) {
      continue;
    }
  }
  return out;
}

/// flock(2) for the life of the object.
class Lock {
 public:
  Lock(int fd, const core::CancelToken& cancel) : fd_(fd) {
    for (unsigned i = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++i) {
      if (errno != EWOULDBLOCK && errno != EINTR) throw core::system_error(errno, "cannot lock", kAuditLog);
      if (i >= kLockTries) throw Error(Kind::kLocked, "another command for this machine does not end");
      cancel.check();
      ::usleep(10'000);
    }
  }
  ~Lock() { ::flock(fd_, LOCK_UN); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  int fd_;
};

}  // namespace

AuditLog::AuditLog(const std::filesystem::path& folder, const core::Clock& clock,
                   const core::CancelToken& cancel)
    : fd_(core::open_file(folder / kAuditLog, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600)),
      clock_(clock),
      cancel_(cancel) {}

void AuditLog::add(const std::string& line) {
  core::write_all(fd_.get(), line + "\n", kAuditLog);
  core::sync_fd(fd_.get(), kAuditLog);
}

std::uint32_t AuditLog::ask(const std::string& order, std::string_view way,
                            const std::function<void(std::uint32_t)>& deliver) {
  const Lock lock(fd_.get(), cancel_);
  const core::UnixTime now = clock_.now();
  const Recent before = recent(fd_.get(), now);
  if (before.in_a_minute >= kMostInAMinute) {
    throw Error(Kind::kUsage,
                fmt::format("the machine got {} commands within a minute already", kMostInAMinute))
        .hint("wait a moment");
  }
  if (before.number >= kLastNumber)
    throw Error(Kind::kUsage, "the machine's numbers for commands are used up");
  const std::uint32_t number = before.number + 1;
  const Json row{
      {"time", core::iso_time(now)}, {"number", number}, {"asked", order}, {"way", way}, {"uid", ::getuid()}};
  add((before.ends_a_line ? "" : "\n") + row.dump());
  try {
    deliver(number);
  } catch (const Error& error) {
    note(number, "not sent", error.message());
    throw;
  }
  return number;
}

void AuditLog::note(std::uint32_t number, std::string_view outcome, std::string_view text) {
  const Json row{{"time", core::iso_time(clock_.now())},
                 {"number", number},
                 {"outcome", outcome},
                 {"text", core::escaped(text, 600)}};
  add(row.dump());
}

}  // namespace imgforge::machines
