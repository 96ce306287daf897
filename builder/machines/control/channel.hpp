// A stream socket that never blocks: what came in is taken as lines or as it is, what goes out waits here.
// Both are bounded, as the other end may be a guest.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::machines {

class Channel {
 public:
  /// A line may have `longest_line` bytes.
  Channel(core::Fd fd, std::size_t longest_line);

  int fd() const { return fd_.get(); }
  /// What poll(2) has to wait for.
  short events() const;
  /// True once the other end is gone or misbehaved.
  bool is_closed() const { return !fd_; }
  void close() { fd_.reset(); }

  /// Reads what is there, and writes what waits as far as that goes.
  void work();
  /// Queues text and writes as much as goes.
  void send(std::string_view text);
  std::size_t unsent() const { return out_.size() - sent_; }

  /// The next whole line without its end. A longer one than may be closes the channel.
  std::optional<std::string> next_line();
  /// All that came in and was not taken as a line.
  std::string take_all();

 private:
  void flush();

  core::Fd fd_;
  std::size_t longest_line_;
  std::string in_;
  std::size_t searched_ = 0;  ///< of `in_`, no end of a line before
  std::string out_;
  std::size_t sent_ = 0;
  bool takes_ = true;  ///< the other end reads
};

}  // namespace imgforge::machines
