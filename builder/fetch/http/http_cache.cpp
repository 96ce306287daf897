#include "builder/fetch/http/http_cache.hpp"

#include <chrono>
#include <system_error>

#include "builder/fetch/http/mirrors.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"

namespace imgforge::fetch {

/// One request on its way through its mirrors.
struct HttpCache::Work {
  std::vector<std::string> urls;  ///< servers that failed in this run come last
  std::size_t mirror = 0;
  bool unconditional = false;  ///< the kept copy was refused by the caller: fetch it whole
  std::optional<Entry> kept;
  TextSink sink;
  MirrorFailures failures;
  std::optional<CachedFile> done;
};

HttpCache::HttpCache(const Context& context) : context_(context), folder_(context.cache / "http") {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw core::system_error(error.value(), "cannot create", folder_.native());
}

CachedFile HttpCache::get(const CachedRequest& request) {
  return std::move(get_all({request}).at(0));
}

std::vector<CachedFile> HttpCache::get_all(const std::vector<CachedRequest>& requests) {
  std::vector<CachedFile> files;
  if (context_.network == Network::kOffline) {
    for (const CachedRequest& request : requests) files.push_back(get_offline(request));
    return files;
  }
  std::vector<Work> works(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i)
    works[i].urls = context_.http.health().best_first(requests[i].urls);
  while (true) {
    std::vector<std::size_t> open;
    std::vector<Transfer> transfers;
    for (std::size_t i = 0; i < requests.size(); ++i) {
      Work& work = works[i];
      if (work.done) continue;
      if (work.mirror == work.urls.size()) {
        if (work.failures.empty())
          throw core::Error(core::Kind::kFetch, requests[i].what + ": no mirror is named");
        throw work.failures.error(requests[i].what);
      }
      const std::string& url = work.urls[work.mirror];
      const bool whole = work.unconditional || requests[i].is_anew;
      work.kept = whole ? std::nullopt : load(url, requests[i].limit);
      open.push_back(i);
      transfers.push_back({Request{.url = url,
                                   .limit = requests[i].limit,
                                   .size = {},
                                   .known = work.kept ? work.kept->validators : Validators{}},
                           &work.sink});
      if (requests[i].is_anew) transfers.back().request.headers = {"Cache-Control: no-cache"};
    }
    if (open.empty()) break;
    std::vector<Result> results = context_.http.run(transfers, context_.jobs);
    for (std::size_t k = 0; k < open.size(); ++k) settle(works[open[k]], requests[open[k]], results[k]);
  }
  for (Work& work : works) files.push_back(std::move(work.done.value()));
  return files;
}

void HttpCache::settle(Work& work, const CachedRequest& request, Result& result) const {
  const std::string& url = work.urls[work.mirror];
  if (Failure* failure = std::get_if<Failure>(&result)) {
    if (failure->may_pass) context_.http.health().failed(url, {}, std::chrono::steady_clock::now());
    work.failures.add(std::move(failure->error), failure->absent);
    ++work.mirror;
    return;
  }
  const Response& response = std::get<Response>(result);
  const bool unchanged = response.freshness == Freshness::kNotModified && work.kept;
  CachedFile file{unchanged ? work.kept->content : work.sink.text(), url};
  try {
    if (request.accept) request.accept(file);
  } catch (core::Error& error) {
    if (!mirror_may_help(error)) throw;
    forget(url);
    work.unconditional = unchanged;
    if (unchanged) return;
    work.failures.add(std::move(error));
    ++work.mirror;
    return;
  }
  if (!unchanged) store(file, response.validators);
  if (context_.report) {
    context_.report({.name = request.what,
                     .from = unchanged ? FetchReport::From::kCache : FetchReport::From::kNetwork,
                     .url = redacted_url(url),
                     .size = file.content.size(),
                     .transferred = unchanged ? 0 : file.content.size(),
                     .sha256 = core::digest_of(core::HashAlgorithm::kSha256, file.content)});
  }
  work.done = std::move(file);
}

CachedFile HttpCache::get_offline(const CachedRequest& request) const {
  for (const std::string& url : request.urls) {
    std::optional<Entry> entry = load(url, request.limit);
    if (!entry) continue;
    CachedFile file{std::move(entry->content), url};
    if (request.accept) request.accept(file);
    return file;
  }
  const std::string url = request.urls.empty() ? request.what : redacted_url(request.urls.front());
  throw core::Error(core::Kind::kFetch, request.what + ": offline: " + url + " was never fetched")
      .hint("run once without --offline");
}

std::filesystem::path HttpCache::stem(const std::string& url) const {
  return folder_ / core::digest_of(core::HashAlgorithm::kSha256, url).hex();
}

std::optional<HttpCache::Entry> HttpCache::load(const std::string& url, std::uint64_t limit) const {
  const std::filesystem::path path = stem(url);
  try {
    const core::Json record = core::parse_json(core::read_text_file(path.native() + ".json"), "cache record");
    Entry entry;
    entry.validators.etag = record.at("etag").get<std::string>();
    entry.validators.last_modified = record.at("last_modified").get<std::string>();
    entry.content = core::read_text_file(path.native() + ".body", limit);
    const std::string digest = core::digest_of(core::HashAlgorithm::kSha256, entry.content).to_string();
    if (record.at("url").get<std::string>() == redacted_url(url) && record.at("sha256") == digest)
      return entry;
  } catch (const core::Error&) {
    // A missing, cut or foreign record means only that nothing is kept.
  } catch (const core::Json::exception&) {
  }
  return std::nullopt;
}

void HttpCache::store(const CachedFile& file, const Validators& validators) const {
  const std::filesystem::path path = stem(file.url);
  core::Json record;
  record["url"] = redacted_url(file.url);
  record["etag"] = validators.etag;
  record["last_modified"] = validators.last_modified;
  record["sha256"] = core::digest_of(core::HashAlgorithm::kSha256, file.content).to_string();
  core::write_file_atomically(path.native() + ".body", file.content);
  core::write_file_atomically(path.native() + ".json", core::print_json(record));
}

void HttpCache::forget(const std::string& url) const {
  std::error_code ignored;
  std::filesystem::remove(stem(url).native() + ".json", ignored);
}

}  // namespace imgforge::fetch
