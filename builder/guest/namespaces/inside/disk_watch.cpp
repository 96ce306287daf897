#include "builder/guest/namespaces/inside/disk_watch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>

#include <limits>
#include <utility>

#include "builder/guest/namespaces/common/tree.hpp"
#include "core/fd.hpp"

namespace imgforge::guest {
namespace {

std::uint64_t less(std::uint64_t from, std::uint64_t by) {
  return from > by ? from - by : 0;
}

}  // namespace

DiskWatch::DiskWatch(std::filesystem::path folder, core::Bytes size)
    : folder_(std::move(folder)), size_(size) {
  const Free now = look();
  enough_ = {less(now.bytes, size_.value), less(now.files, size_.value / kBytesPerFile)};
}

DiskWatch::Free DiskWatch::look() const {
  struct statvfs info {};
  if (::statvfs(folder_.c_str(), &info) != 0) return {};
  return {info.f_bfree * info.f_frsize, info.f_ffree};
}

std::optional<core::Error> DiskWatch::check(Measure measured) {
  const Free now = look();
  if (measured == Measure::kWhenShrunk && now.bytes >= enough_.bytes && now.files >= enough_.files)
    return std::nullopt;
  try {
    const core::Fd folder = core::open_file(folder_, O_RDONLY | O_DIRECTORY);
    const Usage usage = measure(folder.get());
    if (usage.bytes.value > size_.value || usage.files > size_.value / kBytesPerFile) {
      constexpr auto kMeasureNext = std::numeric_limits<std::uint64_t>::max();
      enough_ = {kMeasureNext, kMeasureNext};
      return core::Error(core::Kind::kImage,
                         fmt::format("the root file system of {} is full", size_.to_string()))
          .quote(fmt::format("{} in {} files", usage.bytes.to_string(), usage.files));
    }
    enough_ = {less(now.bytes, size_.value - usage.bytes.value),
               less(now.files, size_.value / kBytesPerFile - usage.files)};
  } catch (const core::Error& error) {
    return error;
  }
  return std::nullopt;
}

}  // namespace imgforge::guest
