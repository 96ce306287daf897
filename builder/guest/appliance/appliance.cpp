#include "builder/guest/appliance/appliance.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.hpp"

namespace imgforge::guest {
namespace {

constexpr std::size_t kConsoleKept = 32 << 10;
constexpr std::size_t kLinesQuoted = 15;

}  // namespace

ApplianceLog::ApplianceLog(const std::filesystem::path& file)
    : file_(core::open_file(file, O_WRONLY | O_CREAT | O_APPEND)) {}

void ApplianceLog::attach(guestfs_h* handle) {
  const std::uint64_t events =
      GUESTFS_EVENT_APPLIANCE | GUESTFS_EVENT_LIBRARY | GUESTFS_EVENT_TRACE | GUESTFS_EVENT_WARNING;
  guestfs_set_event_callback(handle, &ApplianceLog::receive, events, 0, this);
}

void ApplianceLog::receive(guestfs_h*, void* self, std::uint64_t event, int, int, const char* text,
                           std::size_t length, const std::uint64_t*, std::size_t) {
  auto& log = *static_cast<ApplianceLog*>(self);
  const std::lock_guard lock(log.mutex_);
  // A log that cannot be written (full disk) must not stop the build; the watchdog sees the full disk.
  std::string line(text, length);
  if (event != GUESTFS_EVENT_APPLIANCE) line += '\n';
  const std::string shown = core::printable(line);
  if (::write(log.file_.get(), shown.data(), shown.size()) < 0) errno = 0;
  if (event == GUESTFS_EVENT_TRACE || event == GUESTFS_EVENT_LIBRARY) return;
  log.console_ += line;
  if (log.console_.size() > 2 * kConsoleKept) log.console_.erase(0, log.console_.size() - kConsoleKept);
}

std::string ApplianceLog::tail() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const char c : console_) {
    if (c != '\r') text += c;
  }
  return core::tail_lines(text, kLinesQuoted);
}

Appliance::Appliance(const LaunchOptions& launch_options, std::shared_ptr<std::atomic<bool>> abandoned_flag)
    : options(launch_options),
      abandoned(std::move(abandoned_flag)),
      folder(options.work_dir, "appliance"),
      disk(folder / "root.raw"),
      media(folder / "media.raw"),
      log(options.log_file) {}

Appliance::~Appliance() {
  // Killing first makes closing quick, and safe when the appliance does not answer.
  if (!handle) return;
  silence();
  qemu.kill();
}

core::Error Appliance::error(std::string_view doing) const {
  const char* text = guestfs_last_error(handle.get());
  const int error_number = guestfs_last_errno(handle.get());
  const std::string reason = text != nullptr ? core::escaped(core::trimmed(text), 2000) : "no reason given";
  if (std::optional<core::Error> verdict = watchdog->verdict()) return std::move(verdict->quote(log.tail()));
  if (!qemu.running()) {
    return core::Error(core::Kind::kAppliance, fmt::format("the appliance died ({}): {}", doing, reason))
        .hint(fmt::format("its console is in {}", options.log_file.native()))
        .quote(log.tail());
  }
  if (error_number == ENOSPC || reason.find("No space left on device") != std::string::npos) {
    return core::Error(core::Kind::kImage, fmt::format("the root file system of {} is full ({})",
                                                       options.disk.to_string(), doing))
        .quote(reason);
  }
  return core::Error(core::Kind::kAppliance, fmt::format("the appliance failed ({}): {}", doing, reason))
      .quote(log.tail());
}

}  // namespace imgforge::guest
