// A downloaded package against the verified index: it must be the very package that the index means (size and
// checksum), its data must be what its control part promises (datahash), and its files must keep the path
// rules, signed or not. Package signatures are not looked at, and as with apk there need be none: the index,
// whose signature was verified, already names these bytes. Formats: Alpine's apk v2, gzip members signature,
// control, data; apk 3 (apk_v3_package.hpp). Which one a package has is seen by its first bytes, whatever the
// index.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/apk_index.hpp"

namespace imgforge::fetch {

/// Gives the content of the member that it is told of; more than `limit` bytes is kUnsafe.
using ReadContent = std::function<std::string(std::uint64_t limit)>;
using PackageVisitor = std::function<void(const artifacts::TarEntry&, const ReadContent&)>;

/// Throws kIntegrity (size, identity, digests of data), kPackage (malformed, other package than named),
/// kUnsafe (paths, budgets), kArchive (the data tar is damaged). Messages begin with the package's full name.
void verify_package(const std::filesystem::path& file, const IndexEntry& entry);

/// The files, folders and links that a package installs, in stored order. Throws as verify_package, whose
/// checks it makes.
void read_package(const std::filesystem::path& file, const IndexEntry& entry, const PackageVisitor& see);

/// The text of a package's .PKGINFO, after its size, identity and datahash were checked. Throws as
/// verify_package, and kPackage for a package of apk 3, which has none.
std::string read_pkginfo(const std::filesystem::path& file, const IndexEntry& entry);

/// Whether the file begins as one of apk 3. Throws kIo when it cannot be read.
bool is_v3_package(const std::filesystem::path& file);

/// What a verified package is known by in an index that apk makes anew (`apk mkndx`): of apk 3 the SHA-256 of
/// its database, whatever its own repository knows it by; else that of the entry.
core::Digest identity_in_new_index(const std::filesystem::path& file, const IndexEntry& entry);

}  // namespace imgforge::fetch
