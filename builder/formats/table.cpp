#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/formats/format.hpp"
#include "builder/formats/records.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::formats {
namespace {

constexpr std::array<const Format*, 11> kAll{&kQcow2, &kRaw, &kVmdk,    &kVhdx,   &kVdi, &kVm,
                                             &kIso,   &kUsb, &kNetboot, &kRootfs, &kOci};

}  // namespace

std::span<const Format* const> all() {
  return kAll;
}

const Format& find(std::string_view name) {
  const auto* found =
      std::find_if(kAll.begin(), kAll.end(), [&](const Format* format) { return format->name == name; });
  if (found != kAll.end()) return **found;
  throw core::Error(core::Kind::kImage,
                    fmt::format("this imgforge does not know the format {}", core::escaped(name)));
}

}  // namespace imgforge::formats
