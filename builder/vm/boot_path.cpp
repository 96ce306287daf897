#include "builder/vm/boot_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

struct Row {
  std::string_view name;
  BootPath path;
};

constexpr std::array kRows{
    Row{"disk BIOS", {Attachment::kDisk, Firmware::kBios}},
    Row{"disk UEFI", {Attachment::kDisk, Firmware::kUefi}},
    Row{"disk UEFI Secure Boot", {Attachment::kDisk, Firmware::kSecureBoot}},
    Row{"cd BIOS", {Attachment::kCd, Firmware::kBios}},
    Row{"cd UEFI", {Attachment::kCd, Firmware::kUefi}},
    Row{"cd UEFI Secure Boot", {Attachment::kCd, Firmware::kSecureBoot}},
    Row{"stick BIOS", {Attachment::kStick, Firmware::kBios}},
    Row{"stick UEFI", {Attachment::kStick, Firmware::kUefi}},
    Row{"stick UEFI Secure Boot", {Attachment::kStick, Firmware::kSecureBoot}},
    Row{"kernel", {Attachment::kKernel, Firmware::kBios}},
    Row{"network", {Attachment::kNetwork, Firmware::kBios}},
};

constexpr auto kPaths = [] {
  std::array<BootPath, kRows.size()> paths;
  std::transform(kRows.begin(), kRows.end(), paths.begin(), [](const Row& row) { return row.path; });
  return paths;
}();

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

std::span<const BootPath> boot_paths() {
  return kPaths;
}

std::string boot_path_name(const BootPath& path) {
  for (const Row& row : kRows) {
    if (row.path == path) return std::string(row.name);
  }
  throw core::Error(core::Kind::kInternal, "there is no such way to boot");
}

BootPath parse_boot_path(std::string_view name) {
  std::vector<std::string> names;
  for (const Row& row : kRows) {
    if (lower(row.name) == lower(name)) return row.path;
    names.emplace_back(row.name);
  }
  const std::string nearest = core::nearest_word(std::string(name), names);
  throw core::Error(core::Kind::kUsage,
                    fmt::format("\"{}\" is not a way to boot an image", core::escaped(name)))
      .hint(nearest.empty() ? "known are: " + core::join(names, ", ")
                            : fmt::format("did you mean \"{}\"?", nearest));
}

}  // namespace imgforge::vm
