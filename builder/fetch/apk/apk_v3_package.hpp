// A package of apk 3 against the entry of a verified index. Its database is what the index identifies: by
// SHA-256, or, where apk wrote only 20 bytes, by the first 20 of that, or of the SHA-256 of the database with
// its own id as zeros (so `apk mkpkg` makes that id). The database names all files with their digests, and
// the contents behind it must be these. Signatures inside are not looked at, as with packages of apk 2.
// Format: apk-v3(5); slots of the objects: apk-tools 3.
#pragma once

#include "builder/fetch/apk/apk_package.hpp"

namespace imgforge::fetch {

/// Reads from where `fd` stands. Contents are checked before `see` gets them. Owners, which apk 3 has as
/// names, are not told. Throws as verify_package.
void read_v3_package(int fd, const IndexEntry& entry, const PackageVisitor& see);

/// SHA-256 of the database, of a package that was verified. Reads from where `fd` stands.
core::Digest v3_database_digest(int fd, const std::string& name);

}  // namespace imgforge::fetch
