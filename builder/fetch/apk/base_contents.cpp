#include "builder/fetch/apk/base_contents.hpp"

#include <algorithm>

#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"

namespace imgforge::fetch {

BaseContents read_base(const artifacts::VerifiedFile& tarball) {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  artifacts::TarReader reader(tarball.path(), policy);
  artifacts::TarEntry entry;
  BaseContents contents;
  bool shell = false;
  while (reader.next(entry)) {
    contents.newest = std::max(contents.newest, entry.mtime);
    add_key_member(contents.keys, reader, entry);
    shell |= entry.path == "bin/sh" || entry.path == "usr/bin/sh";
  }
  if (!shell) {
    throw core::Error(core::Kind::kArchive, "the base is not a root filesystem (it has no bin/sh)");
  }
  return contents;
}

}  // namespace imgforge::fetch
