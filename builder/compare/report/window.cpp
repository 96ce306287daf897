#include "builder/compare/report/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "builder/compare/report/fields.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::compare {
namespace {

constexpr std::size_t kBlock = 1 << 20;
constexpr std::uint64_t kGap = 16;
constexpr std::size_t kMostRanges = 12;
constexpr std::size_t kShown = 16;

/// Puts differing bytes into ranges, in rising order.
class Collector {
 public:
  explicit Collector(std::size_t most) : most_(most) {}

  void differ(std::uint64_t start, std::uint64_t end) {
    if (found_.count != 0 && start < last_.end + kGap) {
      last_.end = end;
      if (found_.count <= most_) found_.first.back().end = end;
      return;
    }
    last_ = {start, end};
    if (++found_.count <= most_) found_.first.push_back(last_);
  }
  DifferingRanges take() { return std::move(found_); }

 private:
  std::size_t most_;
  Range last_;
  DifferingRanges found_;
};

void compare_blocks(const std::string& a, const std::string& b, std::uint64_t base, Collector& out) {
  const std::size_t common = std::min(a.size(), b.size());
  if (std::memcmp(a.data(), b.data(), common) == 0) return;
  for (std::size_t i = 0; i < common; ++i) {
    if (a[i] != b[i]) out.differ(base + i, base + i + 1);
  }
}

/// Calls `visit(offset, size)` for block after block up to `end`, but not where both have a hole, as long as
/// it gives true. False when it did not.
template <class Visit>
bool for_each_block(const WindowReader& a, const WindowReader& b, std::uint64_t end,
                    const core::CancelToken& cancel, Visit&& visit) {
  std::uint64_t at = 0;
  while ((at = std::min(a.next_data(at), b.next_data(at))) < end) {
    cancel.check();
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, end - at));
    if (!visit(at, size)) return false;
    at += size;
  }
  return true;
}

}  // namespace

Window Window::part(std::uint64_t start, std::uint64_t length) const {
  const std::uint64_t from = std::min(start, size);
  return {file, offset + from, std::min(length, size - from)};
}

Window whole(const std::filesystem::path& file) {
  const core::Fd fd = core::open_regular(file);
  return {file, 0, core::file_size(fd.get(), file.native())};
}

WindowReader::WindowReader(const Window& window) : window_(window), fd_(core::open_regular(window.file)) {}

std::string WindowReader::read(std::uint64_t offset, std::size_t size) const {
  if (offset >= window_.size) return {};
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, window_.size - offset)), '\0');
  bytes.resize(core::read_at(fd_.get(), window_.file.native(), window_.offset + offset,
                             std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

std::uint64_t WindowReader::next_data(std::uint64_t offset) const {
  const auto run = core::next_data(fd_.get(), window_.file.native(), window_.offset + offset,
                                   window_.offset + window_.size);
  return run ? run->begin - window_.offset : window_.size;
}

DifferingRanges differing_ranges(const Window& before, const Window& after, std::size_t most,
                                 const core::CancelToken& cancel) {
  const WindowReader a(before);
  const WindowReader b(after);
  const std::uint64_t common = std::min(before.size, after.size);
  Collector out(most);
  for_each_block(a, b, common, cancel, [&](std::uint64_t at, std::size_t size) {
    compare_blocks(a.read(at, size), b.read(at, size), at, out);
    return true;
  });
  if (before.size != after.size) out.differ(common, std::max(before.size, after.size));
  return out.take();
}

bool equal_bytes(const Window& before, const Window& after, const core::CancelToken& cancel) {
  if (before.size != after.size) return false;
  const WindowReader a(before);
  const WindowReader b(after);
  return for_each_block(a, b, before.size, cancel, [&](std::uint64_t at, std::size_t size) {
    return a.read(at, size) == b.read(at, size);
  });
}

void add_ranges(Node& node, const Window& before, const Window& after, const core::CancelToken& cancel) {
  const DifferingRanges found = differing_ranges(before, after, kMostRanges, cancel);
  if (before.size != after.size) node.add("size", std::to_string(before.size), std::to_string(after.size));
  const WindowReader a(before);
  const WindowReader b(after);
  for (const Range& range : found.first) {
    const auto shown = [&](const WindowReader& reader) -> std::optional<std::string> {
      if (range.start >= reader.window().size) return std::nullopt;
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kShown, range.end - range.start));
      return hex_text(reader.read(range.start, size)) + (range.end - range.start > kShown ? " ..." : "");
    };
    node.add(fmt::format("bytes {}-{}", range.start, range.end - 1), shown(a), shown(b));
  }
  node.omitted += found.count - found.first.size();
}

}  // namespace imgforge::compare
