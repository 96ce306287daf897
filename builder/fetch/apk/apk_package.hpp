// A downloaded package against the verified index: it must be the very package that the index means (size and
// control checksum), its data must be what its control part promises (datahash), and its files must keep the
// path rules, signed or not. Package signatures are not looked at, and as with apk there need be none: the
// index, whose signature was verified, already names these bytes. Format: Alpine's apk v2, gzip members
// signature, control, data.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/apk_index.hpp"

namespace imgforge::fetch {

/// Throws kIntegrity (size, identity, datahash), kPackage (malformed, other package than named), kUnsafe
/// (paths, budgets), kArchive (the data tar is damaged). Messages begin with the package's full name.
void verify_package(const std::filesystem::path& file, const IndexEntry& entry);

/// The files, folders and links that a package installs, in stored order; `see` may read the content of the
/// member it is told of. Throws as verify_package, which it runs first.
void read_package(const std::filesystem::path& file, const IndexEntry& entry,
                  const std::function<void(const artifacts::TarEntry&, artifacts::TarReader&)>& see);

/// The text of a package's .PKGINFO, after its size, identity and datahash were checked. Throws as
/// verify_package.
std::string read_pkginfo(const std::filesystem::path& file, const IndexEntry& entry);

}  // namespace imgforge::fetch
