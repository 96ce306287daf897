#include "artifacts/blobs/byte_ranges.hpp"

#include <algorithm>

namespace imgforge::artifacts {

void ByteRanges::add(ByteRange range) {
  if (range.begin >= range.end) return;
  auto first = ranges_.begin();
  while (first != ranges_.end() && first->end < range.begin) ++first;
  auto last = first;
  while (last != ranges_.end() && last->begin <= range.end) {
    range = {std::min(range.begin, last->begin), std::max(range.end, last->end)};
    ++last;
  }
  ranges_.insert(ranges_.erase(first, last), range);
}

void ByteRanges::remove(ByteRange range) {
  if (range.begin >= range.end) return;
  std::vector<ByteRange> kept;
  for (const ByteRange& old : ranges_) {
    if (old.begin < range.begin) kept.push_back({old.begin, std::min(old.end, range.begin)});
    if (old.end > range.end) kept.push_back({std::max(old.begin, range.end), old.end});
  }
  ranges_ = std::move(kept);
}

std::uint64_t ByteRanges::total() const {
  std::uint64_t sum = 0;
  for (const ByteRange& range : ranges_) sum += range.size();
  return sum;
}

std::uint64_t ByteRanges::frontier() const {
  return !ranges_.empty() && ranges_.front().begin == 0 ? ranges_.front().end : 0;
}

bool ByteRanges::covers(ByteRange range) const {
  return range.begin >= range.end || std::any_of(ranges_.begin(), ranges_.end(), [&](const ByteRange& there) {
           return there.begin <= range.begin && range.end <= there.end;
         });
}

std::vector<ByteRange> ByteRanges::gaps(std::uint64_t size) const {
  std::vector<ByteRange> missing;
  std::uint64_t at = 0;
  for (const ByteRange& range : ranges_) {
    if (range.begin >= size) break;
    if (at < range.begin) missing.push_back({at, range.begin});
    at = range.end;
  }
  if (at < size) missing.push_back({at, size});
  return missing;
}

}  // namespace imgforge::artifacts
