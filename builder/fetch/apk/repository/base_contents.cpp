#include "builder/fetch/apk/repository/base_contents.hpp"

#include <algorithm>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "core/error.hpp"

namespace imgforge::fetch {
namespace {

/// A database that cannot be read says nothing: the base's own apk will have its say.
std::string apk_version(const std::string& database) {
  try {
    for (const IndexEntry& entry : parse_installed(database, "the base's database of packages")) {
      if (entry.name == "apk-tools") return entry.version;
    }
  } catch (const core::Error&) {
  }
  return {};
}

}  // namespace

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
    if (entry.type == artifacts::EntryType::kFile &&
        (entry.path == "lib/apk/db/installed" || entry.path == "usr/lib/apk/db/installed"))
      contents.apk = apk_version(reader.read_text(kMaxInstalledBytes));
    shell |= entry.path == "bin/sh" || entry.path == "usr/bin/sh";
  }
  if (!shell) {
    throw core::Error(core::Kind::kArchive, "the base is not a root filesystem (it has no bin/sh)");
  }
  return contents;
}

}  // namespace imgforge::fetch
