#include "builder/fetch/alpine/alpine_base.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/http/http_cache.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kReleaseFileLimit = 1 << 20;
constexpr std::uint64_t kBaseLimit = std::uint64_t{256} << 20;
constexpr std::uint64_t kIsoLimit = std::uint64_t{4} << 30;

std::vector<std::string> on_mirrors(const std::vector<std::string>& mirrors, const std::string& path) {
  std::vector<std::string> urls;
  for (const std::string& mirror : mirrors) urls.push_back(join_url(mirror, path));
  return urls;
}

std::string releases_folder(const std::string& branch, const std::string& arch) {
  return branch + "/releases/" + arch + "/";
}

/// Equal algorithms must give equal digests; different ones are compared when the bytes are here.
void check_agreement(const std::vector<Promise>& promises, const std::string& name) {
  for (const Promise& first : promises) {
    for (const Promise& other : promises) {
      if (first.digest.algorithm() != other.digest.algorithm() || first.digest == other.digest) continue;
      throw core::Error(core::Kind::kIntegrity,
                        fmt::format("{}: {} says {}, but {} says {}", name, first.by,
                                    first.digest.to_string(), other.by, other.digest.to_string()))
          .hint("pin an exact version with its own digest, or renew what is out of date");
    }
  }
}

BaseSource source_from_lock(const BaseRequest& request, const BaseLock& lock) {
  BaseSource source{
      .version = lock.version,
      .branch = lock.branch,
      .arch = request.arch,
      .flavor = request.flavor,
      .urls = on_mirrors(request.mirrors, releases_folder(lock.branch, request.arch) +
                                              release_file(request.flavor, lock.version, request.arch))};
  if (!lock.url.empty() && std::find(source.urls.begin(), source.urls.end(), lock.url) == source.urls.end())
    source.urls.push_back(lock.url);
  source.promises.push_back({lock.sha256, "the lock"});
  source.size = lock.size;
  return source;
}

/// The newest release of the branch, or an exact version that is the newest.
std::optional<BaseSource> source_from_release_file(const Context& context, const BaseRequest& request,
                                                   const ReleaseName& name) {
  std::optional<Release> release;
  CachedRequest file{
      .what = "releases of Alpine " + request.release,
      .urls =
          on_mirrors(request.mirrors, releases_folder(name.folder, request.arch) + "latest-releases.yaml"),
      .limit = kReleaseFileLimit,
      .accept = [&](const CachedFile& got) {
        release = parse_releases(got.content, redacted_url(got.url), name, request.flavor, request.arch);
      }};
  const CachedFile got = HttpCache(context).get(file);
  if (!name.version.empty() && release->version != name.version) return std::nullopt;
  const std::string by = redacted_url(got.url);
  BaseSource source{
      .version = release->version, .branch = release->branch, .arch = request.arch, .flavor = request.flavor};
  source.urls = on_mirrors(request.mirrors, releases_folder(release->branch, request.arch) + release->file);
  const auto answered = std::find(file.urls.begin(), file.urls.end(), got.url) - file.urls.begin();
  std::rotate(source.urls.begin(), source.urls.begin() + answered, source.urls.begin() + answered + 1);
  source.promises = {{release->sha256, by}, {release->sha512, by}};
  source.size = release->size;
  return source;
}

/// An exact version that is not the newest: the checksum file beside it.
BaseSource source_from_checksum_file(const Context& context, const BaseRequest& request,
                                     const ReleaseName& name) {
  const std::string file = release_file(request.flavor, name.version, request.arch);
  const std::string path = releases_folder(name.folder, request.arch) + file;
  core::Digest digest;
  CachedRequest checksum{.what = "checksum of Alpine " + name.version,
                         .urls = on_mirrors(request.mirrors, path + ".sha256"),
                         .limit = kReleaseFileLimit,
                         .accept = [&](const CachedFile& got) {
                           digest = parse_checksum_file(got.content, core::HashAlgorithm::kSha256, file,
                                                        redacted_url(got.url));
                         }};
  const CachedFile got = HttpCache(context).get(checksum);
  return BaseSource{.version = name.version,
                    .branch = name.folder,
                    .arch = request.arch,
                    .flavor = request.flavor,
                    .urls = on_mirrors(request.mirrors, path),
                    .promises = {{digest, redacted_url(got.url)}}};
}

BaseSource find_without_lock(const Context& context, const BaseRequest& request) {
  const ReleaseName name = ReleaseName::parse(request.release);
  if (request.pin && !name.version.empty()) {
    return BaseSource{
        .version = name.version,
        .branch = name.folder,
        .arch = request.arch,
        .flavor = request.flavor,
        .urls = on_mirrors(request.mirrors, releases_folder(name.folder, request.arch) +
                                                release_file(request.flavor, name.version, request.arch))};
  }
  if (auto source = source_from_release_file(context, request, name)) return *source;
  return source_from_checksum_file(context, request, name);
}

}  // namespace

BaseSource find_base(const Context& context, const BaseRequest& request) {
  if (!is_arch(request.arch)) {
    throw core::Error(core::Kind::kRecipe,
                      "not an architecture: \"" + core::escaped(request.arch, 40) + "\"");
  }
  if (!is_flavor(request.flavor)) {
    throw core::Error(core::Kind::kRecipe,
                      "not a flavor of Alpine: \"" + core::escaped(request.flavor, 60) + "\"");
  }
  BaseSource source =
      request.lock ? source_from_lock(request, *request.lock) : find_without_lock(context, request);
  if (request.pin) source.promises.insert(source.promises.begin(), {*request.pin, "the recipe"});
  check_agreement(source.promises, source.title());
  return source;
}

artifacts::VerifiedFile fetch_base(const Context& context, const BaseSource& source) {
  Download download{.name = source.title(),
                    .urls = source.urls,
                    .promises = source.promises,
                    .size = source.size,
                    .limit = source.flavor == kMiniRootFs ? kBaseLimit : kIsoLimit};
  return Downloader(context).fetch(download);
}

}  // namespace imgforge::fetch
