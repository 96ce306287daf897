// A part of a regular file, such as a partition of a disk, and where two such parts differ.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "builder/compare/report/report.hpp"
#include "core/cancel.hpp"
#include "core/fd.hpp"

namespace imgforge::compare {

struct Window {
  std::filesystem::path file;
  std::uint64_t offset = 0;  ///< bytes from the start of the file
  std::uint64_t size = 0;    ///< bytes

  /// The bytes from `start` on within this one, cut to what there is.
  Window part(std::uint64_t start, std::uint64_t length) const;
};

/// All of a regular file. Throws kIo.
Window whole(const std::filesystem::path& file);

class WindowReader {
 public:
  explicit WindowReader(const Window& window);
  const Window& window() const { return window_; }
  /// Bytes from `offset` on: fewer than `size` at the end.
  std::string read(std::uint64_t offset, std::size_t size) const;
  /// Where behind `offset` the next byte is that is in no hole; the window's size when there is none.
  std::uint64_t next_data(std::uint64_t offset) const;

 private:
  Window window_;
  core::Fd fd_;
};

/// Bytes [start, end) that differ, where runs of fewer than 16 equal bytes count as part of it.
struct Range {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

struct DifferingRanges {
  std::vector<Range> first;  ///< at most so many as were asked for
  std::uint64_t count = 0;   ///< of all
  bool equal() const { return count == 0; }
};

/// Compares as far as both reach; what one has more is a range of its own.
DifferingRanges differing_ranges(const Window& before, const Window& after, std::size_t most,
                                 const core::CancelToken& cancel);
bool equal_bytes(const Window& before, const Window& after, const core::CancelToken& cancel);

/// Notes sizes and ranges, with the first bytes of both sides in hexadecimal.
void add_ranges(Node& node, const Window& before, const Window& after, const core::CancelToken& cancel);

}  // namespace imgforge::compare
