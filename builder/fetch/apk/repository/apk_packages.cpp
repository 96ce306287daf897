#include "builder/fetch/apk/repository/apk_packages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "builder/fetch/apk/repository/index_history.hpp"
#include "builder/fetch/download/downloader.hpp"
#include "builder/fetch/http/http_cache.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kIndexLimit = std::uint64_t{64} << 20;
constexpr std::uint64_t kPackageLimit = std::uint64_t{4} << 30;
constexpr std::string_view kIndexName = "APKINDEX.tar.gz";
constexpr std::string_view kV3IndexName = "Packages.adb";

struct Found {
  const IndexEntry* entry = nullptr;
  const Repository* repository = nullptr;
};

Found find_choice(const PackageChoice& choice, const std::vector<Repository>& repositories) {
  if (const Repository* repository = find_repository(repositories, choice.name, choice.version))
    return {repository->index.find(choice.name, choice.version), repository};
  std::vector<std::string> names;
  for (const Repository& repository : repositories) names.push_back(repository.name);
  throw core::Error(
      core::Kind::kPackage,
      fmt::format("package {}-{} is in none of the repositories {}", core::escaped(choice.name, 80),
                  core::escaped(choice.version, 80), core::join(names, ", ")))
      .hint("the index has changed since the version was chosen: resolve the packages again");
}

Download download_of(const Found& found, const PackageChoice& choice) {
  const IndexEntry& entry = *found.entry;
  const std::string path = package_folder(*found.repository, entry) + "/" + entry.file_name();
  Download download{.name = "package " + entry.full_name(),
                    .urls = {},
                    .promises = {},
                    .size = entry.size,
                    .limit = kPackageLimit,
                    .known_as = "apk-" + entry.identity.hex(),
                    .verify = [&entry](const std::filesystem::path& file) { verify_package(file, entry); },
                    .named_by = "the lock",
                    .remedy = "imgforge update moves the lock to what mirrors have now"};
  if (found.repository->file) {
    download.named_by = "the index " + redacted_url(found.repository->index_url);
    download.remedy =
        "index and package do not belong together: the mirror is being synchronised, or its copy is damaged; "
        "try again later, or name another mirror with --mirror";
  }
  if (choice.sha256) download.promises.push_back({*choice.sha256, "the lock"});
  for (const std::string& url : found.repository->urls) download.urls.push_back(join_url(url, path));
  const auto& urls = download.urls;
  if (!choice.url.empty() && std::find(urls.begin(), urls.end(), choice.url) == urls.end())
    download.urls.push_back(choice.url);
  return download;
}

}  // namespace

const std::string& package_folder(const Repository& repository, const IndexEntry& entry) {
  return repository.index.format() == IndexFormat::kV3 ? entry.arch : repository.arch;
}

std::string repository_line(const std::string& url, std::string_view index_url) {
  return index_url.ends_with(kV3IndexName) ? "v3 " + url : url;
}

const Repository* find_repository(const std::vector<Repository>& repositories, std::string_view name,
                                  std::string_view version) {
  const auto found = std::find_if(
      repositories.begin(), repositories.end(),
      [&](const Repository& repository) { return repository.index.find(name, version) != nullptr; });
  return found == repositories.end() ? nullptr : &*found;
}

std::vector<std::string> repository_urls(std::string_view entry, const std::vector<std::string>& mirrors,
                                         std::string_view branch) {
  if (entry.find("://") != std::string_view::npos) {
    check_url(entry);
    return {std::string(entry)};
  }
  if (!is_plain_file_name(entry)) {
    throw core::Error(core::Kind::kRecipe, "not a repository: \"" + core::escaped(entry, 80) + "\"")
        .hint("name a repository of the base's mirrors (main, community) or give a full URL");
  }
  std::vector<std::string> urls;
  for (const std::string& mirror : mirrors) {
    urls.push_back(join_url(mirror, fmt::format("{}/{}", branch, entry)));
  }
  return urls;
}

std::vector<Repository> load_repositories(const Context& context, const std::vector<std::string>& entries,
                                          const std::vector<std::string>& mirrors, std::string_view branch,
                                          std::string_view arch, const PublicKeys& keys) {
  std::vector<CachedRequest> requests;
  std::vector<std::optional<Index>> indexes(entries.size());
  std::vector<std::vector<std::string>> urls;
  std::vector<IndexHistory> histories;
  histories.reserve(entries.size());  // the requests refer to them
  for (std::size_t i = 0; i < entries.size(); ++i) {
    urls.push_back(repository_urls(entries[i], mirrors, branch));
    const bool is_url = entries[i].find("://") != std::string::npos;
    histories.emplace_back(context, is_url ? entries[i] : fmt::format("{}/{}", branch, entries[i]),
                           std::string(arch));
    CachedRequest request{.what = "index of repository " + redacted_url(entries[i]),
                          .limit = kIndexLimit,
                          .is_anew = context.index_copies == IndexCopies::kAnew,
                          .accept = [&indexes, &keys, &histories, arch, i](const CachedFile& got) {
                            indexes[i] = load_index(got.content, keys, arch, redacted_url(got.url));
                            histories[i].check(*indexes[i], got.url);
                          }};
    for (const std::string_view name : {kIndexName, kV3IndexName}) {
      if (name == kV3IndexName && !is_url) break;  // Alpine's own mirrors have both names or the first
      for (const std::string& url : urls.back())
        request.urls.push_back(join_url(url, fmt::format("{}/{}", arch, name)));
    }
    histories[i].order(request.urls);
    requests.push_back(std::move(request));
  }
  std::vector<CachedFile> files = HttpCache(context).get_all(requests);
  std::vector<Repository> repositories;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    repositories.push_back({.name = redacted_url(entries[i]),
                            .arch = std::string(arch),
                            .urls = std::move(urls[i]),
                            .index_url = files[i].url,
                            .file = context.blobs.put(files[i].content),
                            .index = std::move(indexes[i].value())});
    histories[i].remember(repositories[i].index, files[i].url, repositories[i].file->digest());
  }
  return repositories;
}

std::vector<FetchedPackage> fetch_packages(const Context& context, const std::vector<PackageChoice>& choices,
                                           const std::vector<Repository>& repositories) {
  std::vector<Found> found;
  std::vector<Download> downloads;
  for (const PackageChoice& choice : choices) {
    found.push_back(find_choice(choice, repositories));
    downloads.push_back(download_of(found.back(), choice));
  }
  std::vector<artifacts::VerifiedFile> files = Downloader(context).fetch_all(downloads);
  std::vector<FetchedPackage> packages;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    packages.push_back({*found[i].entry, downloads[i].urls.front(), std::move(files[i])});
  }
  return packages;
}

}  // namespace imgforge::fetch
