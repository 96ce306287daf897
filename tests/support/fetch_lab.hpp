// What tests of fetching share: a context over a cache of its own and quick time-outs.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/fetch/http/context.hpp"
#include "core/temp_dir.hpp"
#include "support/recorded_progress.hpp"

namespace imgforge::testing {

inline fetch::HttpOptions quick_options() {
  fetch::HttpOptions options;
  options.connect_timeout = std::chrono::milliseconds(1000);
  options.stall_timeout = std::chrono::seconds(1);
  options.stall_rate = 1000;  // libcurl averages over some seconds: a low rate would notice silence late
  options.backoff = std::chrono::milliseconds(5);
  return options;
}

struct FetchLab {
  core::TempDir folder{std::filesystem::temp_directory_path(), "imgforge-fetch-lab"};
  core::CancelToken cancel;
  RecordedProgress progress;
  artifacts::BlobStore blobs{folder / "blobs"};
  std::unique_ptr<fetch::Http> http = fetch::make_http(quick_options(), cancel);
  fetch::Context context{
      .http = *http, .blobs = blobs, .progress = progress, .cancel = cancel, .cache = folder / "cache"};

  /// Unfinished files left in the staging folder.
  std::size_t leftovers() const {
    std::size_t count = 0;
    if (!std::filesystem::exists(blobs.staging())) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(blobs.staging())) {
      count += entry.is_regular_file() ? 1 : 0;
    }
    return count;
  }
  /// Blobs in the store.
  std::size_t stored() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(blobs.root())) {
      const bool is_lock = entry.path().filename() == ".lock";  // of the store itself
      count += entry.is_regular_file() && !is_lock ? 1 : 0;
    }
    return count - leftovers();
  }
};

/// Runs `body`, which must throw a core::Error, and gives it back.
template <class Body>
core::Error error_of(Body&& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return core::Error(core::Kind::kInternal, "");
}

}  // namespace imgforge::testing
