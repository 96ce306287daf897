// The index: what a repository has. Only an index whose signature was verified becomes an Index here; it is
// read strictly, because names and versions out of it become URLs and file names. Formats:
// https://wiki.alpinelinux.org/wiki/Apk_spec (index v2, APKINDEX.tar.gz): gzip members signature + control;
// the control tar holds DESCRIPTION and APKINDEX, records of `<letter>:<value>` lines separated by blank
// lines; and that of apk 3 (apk_v3_index.hpp). The code is in apk_index.cpp and apk_index_text.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/fetch/apk/apk_keys.hpp"
#include "core/digest.hpp"

namespace imgforge::fetch {

constexpr std::size_t kMaxIndexEntries = 500'000;

/// One package of an index, with the letters of v2's text. Lists are as stored, split at blanks.
struct IndexEntry {
  std::string name;                                                  ///< P
  std::string version;                                               ///< V
  std::string arch;                                                  ///< A
  std::uint64_t size = 0;                                            ///< S: bytes of the .apk file
  std::uint64_t unpacked = 0;                                        ///< I: bytes installed
  std::string description;                                           ///< T
  std::string url;                                                   ///< U
  std::string license;                                               ///< L
  std::string origin;                                                ///< o: source package
  std::string maintainer;                                            ///< m
  std::uint64_t build_time = 0;                                      ///< t: seconds since the epoch
  std::string commit;                                                ///< c: of the packaging repository
  std::uint64_t priority = 0;                                        ///< k: among providers
  std::vector<std::string> depends, provides, install_if, replaces;  ///< D, p, i, r
  core::Digest identity;  ///< C: what the very package is known by (apk_identity.hpp)

  std::string full_name() const { return name + "-" + version; }
  std::string file_name() const { return full_name() + ".apk"; }
};

/// Which apk an index was made for. apk 3 reads both.
enum class IndexFormat { kV2, kV3 };

/// Who signed an index.
struct IndexSigner {
  std::string key_name;     ///< file name of the public key, as trusted here
  core::Digest key_digest;  ///< sha256 of the key file
  core::HashAlgorithm algorithm = core::HashAlgorithm::kSha1;
};

/// Which edition of its repository an index is, out of its signed part: what can be compared with another
/// one.
struct IndexEdition {
  std::string description;  ///< DESCRIPTION; Alpine writes `git describe` of its packages' sources there
  /// Newest of the times of the tar entries (when apk made the index; old versions of apk write 0) and the
  /// build times of the packages. Seconds since the epoch.
  std::uint64_t time = 0;
};

class Index {
 public:
  /// Parses the text of APKINDEX. `arch`: entries must be for it or "noarch". Throws kPackage with the line
  /// number, kUnsafe beyond the budget of entries; `what` names the index in messages.
  static Index parse(std::string_view text, std::string_view arch, std::string_view what);
  /// Of entries that were checked already, such as those of a lock. Throws kPackage when two contradict.
  Index(std::vector<IndexEntry> entries, std::string_view what, IndexFormat format = IndexFormat::kV2);

  const std::vector<IndexEntry>& entries() const { return entries_; }
  /// All versions of a package, in the order of the index; empty when there is none.
  std::vector<const IndexEntry*> find(std::string_view name) const;
  /// Null when the index does not have that version.
  const IndexEntry* find(std::string_view name, std::string_view version) const;
  const IndexSigner& signer() const { return signer_; }
  const IndexEdition& edition() const { return edition_; }
  IndexFormat format() const { return format_; }

 private:
  friend Index load_index(std::string_view, const PublicKeys&, std::string_view, std::string_view);
  friend Index load_v3_index(std::string_view, const PublicKeys&, std::string_view, std::string_view);
  std::vector<IndexEntry> entries_;
  std::multimap<std::string, std::size_t, std::less<>> by_name_;
  IndexSigner signer_;
  IndexEdition edition_;
  IndexFormat format_ = IndexFormat::kV2;
};

/// Verifies and reads the bytes of an APKINDEX.tar.gz or Packages.adb, by what they begin with. Throws
/// kSignature (unsigned, unknown key, bad signature), kPackage (not an index, other architecture, malformed),
/// kUnsafe (budgets).
Index load_index(std::string_view bytes, const PublicKeys& keys, std::string_view arch,
                 std::string_view what);

/// Reads an index without looking at its signature: only for the index of a medium whose own digest
/// was verified as a whole. Throws kPackage, kUnsafe.
Index read_medium_index(std::string_view bytes, std::string_view arch, std::string_view what);

}  // namespace imgforge::fetch
