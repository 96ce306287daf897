// The libguestfs handle of one appliance with its log and its watchdog. Private to this folder: guest.cpp and
// launch.cpp are made of it, and no other file sees the library.
#pragma once

#include <guestfs.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "builder/guest/appliance/guest.hpp"
#include "builder/guest/appliance/qemu_process.hpp"
#include "builder/guest/appliance/watchdog.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::guest {

/// Receives what the appliance's console and the library say: all of it goes to the log file, the end of the
/// console stays at hand for error messages.
class ApplianceLog {
 public:
  explicit ApplianceLog(const std::filesystem::path& file);
  void attach(guestfs_h* handle);
  /// The last lines of the console, escaped.
  std::string tail() const;

 private:
  static void receive(guestfs_h* handle, void* self, std::uint64_t event, int id, int flags, const char* text,
                      std::size_t length, const std::uint64_t* array, std::size_t array_length);
  core::Fd file_;
  mutable std::mutex mutex_;
  std::string console_;
};

struct Appliance {
  Appliance(const LaunchOptions& launch_options, std::shared_ptr<std::atomic<bool>> abandoned_flag);
  ~Appliance();

  /// Runs `body`, which calls the library, under the watchdog; `limit` 0 means the default. When `body`
  /// returns a negative number or a null pointer the library's error is thrown.
  template <class Body>
  auto call(std::string name, Body&& body, std::chrono::milliseconds limit = {}) {
    if (std::optional<core::Error> verdict = watchdog->verdict()) throw std::move(*verdict);
    options.cancel.check();
    silence();
    if (limit.count() == 0) limit = options.call_timeout;
    std::optional<Watchdog::Call> watched(std::in_place, *watchdog, name, limit);
    auto result = body(handle.get());
    watched.reset();
    bool failed = false;
    if constexpr (std::is_pointer_v<decltype(result)>) {
      failed = result == nullptr;
    } else {
      failed = result < 0;
    }
    if (failed) throw error(name);
    return result;
  }
  /// Starts the appliance in the calling thread, which must have no other child processes.
  void start(machine::Accelerator with, std::chrono::milliseconds limit);
  /// Keeps the library from printing errors; it remembers that for each thread separately.
  void silence() { guestfs_set_error_handler(handle.get(), nullptr, nullptr); }
  /// What the last failed call means.
  core::Error error(std::string_view doing) const;

  LaunchOptions options;
  std::shared_ptr<std::atomic<bool>> abandoned;  ///< nobody waits for the launch any more
  core::TempDir folder;
  std::filesystem::path disk;   ///< the root file system, raw
  std::filesystem::path media;  ///< the disk behind present(), raw
  ApplianceLog log;
  ProcessHandle qemu;
  std::unique_ptr<Watchdog> watchdog;
  core::Handle<&guestfs_close> handle;  ///< goes first: closing it still writes to the log
  bool media_shown = false;
  std::optional<std::string> kvm_failure;
  machine::Accelerator accelerator = machine::Accelerator::kEmulation;
};

}  // namespace imgforge::guest
