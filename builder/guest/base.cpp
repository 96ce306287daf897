#include "builder/guest/base.hpp"

#include <fmt/format.h>

#include <array>

#include "artifacts/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

struct Magic {
  std::string_view bytes;
  std::string_view method;  ///< the appliance's name of the compression
};

constexpr std::array kMagics{
    Magic{"\x1f\x8b", "gzip"},
    Magic{"\xfd"
          "7zXZ",
          "xz"},
    Magic{"\x28\xb5\x2f\xfd", "zstd"},
    Magic{"BZh", "bzip2"},
};

std::string_view compression_of(const std::filesystem::path& file) {
  const core::Fd fd = core::open_regular(file);
  std::array<std::byte, 8> head{};
  const std::size_t n = core::read_some(fd.get(), head, file.native());
  const std::string_view text(reinterpret_cast<const char*>(head.data()), n);
  for (const Magic& magic : kMagics) {
    if (text.starts_with(magic.bytes)) return magic.method;
  }
  return {};
}

bool is_device(artifacts::EntryType type) {
  return type == artifacts::EntryType::kCharDevice || type == artifacts::EntryType::kBlockDevice;
}

}  // namespace

void check_base(const std::filesystem::path& tarball) {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  artifacts::TarReader reader(tarball, policy);
  artifacts::TarEntry entry;
  bool is_root = false;
  while (reader.next(entry)) {
    if (is_device(entry.type) && !entry.path.starts_with("dev/")) {
      throw core::Error(core::Kind::kUnsafe, fmt::format("{} holds a device outside /dev: {}",
                                                         tarball.native(), core::escaped(entry.path)));
    }
    is_root =
        is_root || entry.path == "etc/alpine-release" || entry.path == "bin/sh" || entry.path == "usr/bin/sh";
  }
  if (!is_root) {
    throw core::Error(core::Kind::kArchive,
                      fmt::format("{} is not a root filesystem: it has neither bin/sh nor "
                                  "etc/alpine-release",
                                  tarball.native()));
  }
}

void unpack_base(Sandbox& guest, const std::filesystem::path& tarball) {
  check_base(tarball);
  guest.tar_in(tarball, "/", compression_of(tarball));
}

}  // namespace imgforge::guest
