#include "builder/guest/base.hpp"

#include <fmt/format.h>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

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
  guest.tar_in(tarball, "/",
               artifacts::content_name(artifacts::recognise_file(tarball, artifacts::Among::kCompressions)));
}

}  // namespace imgforge::guest
