// Repositories and packages, fetched on the host and checked before anything of them reaches the appliance:
// indexes by signature, packages by the index. The appliance gets them read-only and installs without
// network.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/http/context.hpp"

namespace imgforge::fetch {

/// A repository whose index was verified, or stands in a lock.
struct Repository {
  std::string name;  ///< as in the recipe: "main", or a URL (redacted)
  std::string arch;
  std::vector<std::string> urls;                ///< below which `<arch>/` lies, in order of trying
  std::string index_url;                        ///< where the index came from
  std::optional<artifacts::VerifiedFile> file;  ///< the index as it was signed; none: out of a lock
  Index index;
  std::string image_url = {};  ///< of the repository as images name it
};

/// Where below a repository a package lies: with an index of apk 3 in the folder of the package's own
/// architecture ("noarch"), else in that of the repository's.
const std::string& package_folder(const Repository& repository, const IndexEntry& entry);

/// The line of /etc/apk/repositories for a repository at `url` whose index came from `index_url`: apk asks
/// for Packages.adb only when it is told to.
std::string repository_line(const std::string& url, std::string_view index_url);

/// URLs of a repository entry: a name ("main", "community") below each mirror's branch, or one full URL.
/// Throws kRecipe for anything else.
std::vector<std::string> repository_urls(std::string_view entry, const std::vector<std::string>& mirrors,
                                         std::string_view branch);

/// Fetches and verifies the indexes in parallel; an unchanged one costs one conditional request. Where a
/// repository that is named by its URL has no APKINDEX.tar.gz, Packages.adb is asked for. Results in order of
/// `entries`. Throws kFetch, kSignature, kPackage, kUnsafe, naming repository and mirror.
std::vector<Repository> load_repositories(const Context& context, const std::vector<std::string>& entries,
                                          const std::vector<std::string>& mirrors, std::string_view branch,
                                          std::string_view arch, const PublicKeys& keys);

/// The first repository that has that version; null when none has.
const Repository* find_repository(const std::vector<Repository>& repositories, std::string_view name,
                                  std::string_view version);

/// A package as the resolver chose it, or a lock holds it.
struct PackageChoice {
  std::string name;
  std::string version;
  std::optional<core::Digest> sha256 = {};  ///< of the whole file, out of a lock
  std::string url = {};                     ///< tried after those of the repository, out of a lock
};

struct FetchedPackage {
  IndexEntry entry;
  std::string url;  ///< in the first mirror of its repository
  artifacts::VerifiedFile file;
};

/// Downloads in parallel what is not cached, each package from any mirror that has the very file. The first
/// repository that has the version counts. Throws kPackage when none has it, Unavailable for a package that
/// the index lists and no mirror has so, kFetch, kIntegrity, kPackage, kUnsafe.
std::vector<FetchedPackage> fetch_packages(const Context& context, const std::vector<PackageChoice>& choices,
                                           const std::vector<Repository>& repositories);

}  // namespace imgforge::fetch
