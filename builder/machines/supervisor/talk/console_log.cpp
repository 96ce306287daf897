#include "builder/machines/supervisor/talk/console_log.hpp"

#include <fcntl.h>

#include <utility>

#include "core/error.hpp"

namespace imgforge::machines {

ConsoleLog::ConsoleLog(std::filesystem::path file, std::uint64_t largest)
    : path_(std::move(file)), largest_(largest) {
  open();
}

void ConsoleLog::open() {
  file_ = core::open_file(path_, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  size_ = core::file_size(file_.get(), path_.native());
}

void ConsoleLog::take(std::string_view raw) noexcept {
  try {
    recent_ += raw;
    if (recent_.size() > kConsoleKept) recent_.erase(0, recent_.size() - kConsoleKept);
    if (!file_) return;
    if (size_ + raw.size() > largest_) {
      std::filesystem::rename(path_, path_.native() + ".1");
      open();
    }
    core::write_all(file_.get(), raw, path_.native());
    size_ += raw.size();
  } catch (const std::exception&) {
    file_.reset();
  }
}

}  // namespace imgforge::machines
