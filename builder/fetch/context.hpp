// What everything that fetches works with: the effects, the cache, and how much of both may be used. One
// value, made by the caller once and handed down, so that functions name only what they fetch.
#pragma once

#include <filesystem>
#include <string>

#include "artifacts/blob_store.hpp"
#include "builder/fetch/http.hpp"
#include "core/cancel.hpp"
#include "core/progress.hpp"

namespace imgforge::fetch {

enum class Network { kOnline, kOffline };

struct Context {
  Http& http;
  artifacts::BlobStore& blobs;
  core::Progress& progress;
  core::CancelToken cancel;
  std::filesystem::path cache;  ///< folder of imgforge's cache; `http/` and `known/` are kept below it
  unsigned jobs = 8;            ///< transfers at a time
  Network network = Network::kOnline;
  std::string step = "fetch";  ///< step of `progress` that updates belong to
};

}  // namespace imgforge::fetch
