// Which bytes of a file are there: a sorted set of disjoint half-open ranges. A download that arrives in
// pieces is described by one, in memory and in its record on disk.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace imgforge::artifacts {

/// Bytes `begin` to `end`, without `end`.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - begin; }
  bool operator==(const ByteRange&) const = default;
};

class ByteRanges {
 public:
  /// Adds a range; touching and overlapping ones are joined. An empty range adds nothing.
  void add(ByteRange range);
  void remove(ByteRange range);
  void clear() { ranges_.clear(); }
  bool empty() const { return ranges_.empty(); }
  /// Sum of all sizes.
  std::uint64_t total() const;
  /// End of the range that begins at 0; 0 when there is none.
  std::uint64_t frontier() const;
  /// True when every byte of `range` is there.
  bool covers(ByteRange range) const;
  /// What is missing of the first `size` bytes.
  std::vector<ByteRange> gaps(std::uint64_t size) const;
  const std::vector<ByteRange>& list() const { return ranges_; }
  bool operator==(const ByteRanges&) const = default;

 private:
  std::vector<ByteRange> ranges_;
};

}  // namespace imgforge::artifacts
