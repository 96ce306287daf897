#include "builder/vm/netboot_files.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "builder/image/boot/cpio.hpp"
#include "builder/image/write_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

constexpr std::uint64_t kMaxRoot = 0x7FFFFFFF;  // of a file in a cpio archive

struct Part {
  std::string_view role;
  std::string_view suffix;
  fs::path NetbootFiles::*place;
};

constexpr std::array kParts{
    Part{"kernel", "-vmlinuz", &NetbootFiles::kernel},
    Part{"initramfs", "-initramfs.img", &NetbootFiles::initramfs},
    Part{"root", "-root.squashfs", &NetbootFiles::root},
    Part{"script", ".ipxe", &NetbootFiles::script},
};

/// What the names of the set have in common; nothing when `file` is not named as one of a set.
std::optional<std::string> stem_of(const fs::path& file) {
  const std::string name = file.native();
  for (const Part& part : kParts) {
    if (name.ends_with(part.suffix)) return name.substr(0, name.size() - part.suffix.size());
  }
  return std::nullopt;
}

std::string stem_or_throw(const fs::path& file) {
  if (const auto stem = stem_of(file)) return *stem;
  throw Error(Kind::kUsage, fmt::format("{} is not named as a file of a netboot set", file.native()));
}

}  // namespace

bool is_netboot_set(const fs::path& file) {
  const std::optional<std::string> stem = stem_of(file);
  return stem && fs::is_regular_file(*stem + std::string(kParts[0].suffix));
}

NetbootFiles find_netboot_files(const fs::path& file, const artifacts::Manifest* manifest) {
  NetbootFiles files;
  if (manifest != nullptr) {
    for (const artifacts::ManifestArtifact& row : manifest->artifacts) {
      const auto role = row.media.find("role");
      if (row.format != "netboot" || role == row.media.end()) continue;
      for (const Part& part : kParts) {
        if (role->second == part.role) files.*part.place = file.parent_path() / row.file;
      }
    }
  }
  if (files.kernel.empty()) {
    const std::string stem = stem_or_throw(file);
    for (const Part& part : kParts) files.*part.place = stem + std::string(part.suffix);
  }
  if (!fs::exists(files.root)) files.root.clear();
  for (const fs::path& needed : {files.kernel, files.initramfs, files.script}) {
    if (!fs::is_regular_file(needed))
      throw Error(Kind::kUsage, fmt::format("the netboot set of {} has no {}", file.filename().native(),
                                            needed.filename().native()));
  }
  return files;
}

void write_root_archive(const fs::path& root, const fs::path& archive) {
  image::CpioWriter cpio;
  cpio.file("root.squashfs", core::read_text_file(root, kMaxRoot), 0444);
  image::write_file(archive, cpio.finish());
}

}  // namespace imgforge::vm
