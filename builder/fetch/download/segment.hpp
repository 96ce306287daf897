// A range of a file on its way from one mirror. Its end may move: up to where somebody else took over, or
// down again when they gave up. Internal to DownloadTask.
#pragma once

#include <limits>

#include "builder/fetch/download/download_task.hpp"

namespace imgforge::fetch {

class DownloadTask::Segment : public Sink {
 public:
  static constexpr std::uint64_t kOpenEnd = std::numeric_limits<std::uint64_t>::max();

  Segment(DownloadTask& owner, Mirror& source, artifacts::ByteRange range)
      : position(range.begin), end(range.end), mirror(source), task_(owner) {}
  void restart() override {}
  bool begin(const Head& head) override { return task_.accept(*this, head); }
  void write(std::span<const std::byte> data) override { task_.arrived(*this, data); }
  bool enough() const override { return stale || position >= end; }
  std::uint64_t left(std::uint64_t total) const { return std::min(end, total) - position; }

  std::uint64_t position;  ///< of the next byte
  std::uint64_t end;
  Mirror& mirror;
  bool stale = false;  ///< its bytes are not wanted any more

 private:
  DownloadTask& task_;
};

}  // namespace imgforge::fetch
