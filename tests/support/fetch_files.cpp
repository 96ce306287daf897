// Fetches files into a cache, for ci/bench-fetch: fetch_files CACHE < LIST, where each line of LIST is
// `URL SHA256`. Prints what each cost.
#include <cstdio>
#include <iostream>
#include <sstream>

#include "builder/fetch/download/downloader.hpp"

namespace fetch = imgforge::fetch;
namespace core = imgforge::core;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::filesystem::path cache = argv[1];
    const core::CancelToken cancel;
    const std::unique_ptr<fetch::Http> http = fetch::make_http({}, cancel);
    imgforge::artifacts::BlobStore blobs(cache / "blobs");
    fetch::Context context{*http, blobs, core::no_progress(), cancel, cache};
    context.report = [](const fetch::FetchReport& report) {
      std::printf("%s %llu %.3f\n", report.name.c_str(), static_cast<unsigned long long>(report.transferred),
                  report.seconds);
    };
    std::vector<fetch::Download> downloads;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      std::string url, sha256;
      words >> url >> sha256;
      downloads.push_back(
          {.name = url.substr(url.rfind('/') + 1),
           .urls = {url},
           .promises = {{core::Digest::from_hex(core::HashAlgorithm::kSha256, sha256), "the list"}}});
    }
    fetch::Downloader(context).fetch_all(downloads);
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
  return 0;
}
