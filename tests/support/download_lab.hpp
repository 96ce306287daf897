// What tests of downloads share: a fault server, a cache of their own, files of known bytes, and a look at
// what unfinished downloads leave.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "builder/fetch/download/downloader.hpp"
#include "core/atomic_file.hpp"
#include "support/fetch_lab.hpp"
#include "support/servers.hpp"

namespace imgforge::testing {

inline core::Digest sha256_of(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

/// Bytes without a period that a misplaced piece could hide in.
inline std::string pattern(std::size_t size) {
  std::string text;
  text.reserve(size);
  std::uint32_t state = 12345;
  for (std::size_t i = 0; i < size; ++i) {
    state = state * 1664525 + 1013904223;
    text += static_cast<char>(state >> 24);
  }
  return text;
}

class DownloadLab : public ::testing::Test {
 protected:
  fetch::Download download(const std::string& path, std::string_view content) {
    return {.name = "thing", .urls = {server_.url(path)}, .promises = {{sha256_of(content), "the recipe"}}};
  }
  /// Fetches and checks the bytes.
  void expect_good(const fetch::Download& wanted, std::string_view content) {
    const artifacts::VerifiedFile file = fetch::Downloader(lab_.context).fetch(wanted);
    EXPECT_EQ(core::read_text_file(file.path(), std::uint64_t{1} << 30), content);
  }
  core::Error failure(const fetch::Download& wanted) {
    return error_of([&] { fetch::Downloader(lab_.context).fetch(wanted); });
  }
  /// Files below partial/ with that ending.
  std::vector<std::filesystem::path> partial(const std::string& ending) const {
    std::vector<std::filesystem::path> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(lab_.context.cache / "partial", ignored)) {
      if (entry.path().extension() == ending) found.push_back(entry.path());
    }
    return found;
  }
  /// The ranges that were asked for, "" for whole files, of the requests since `from`.
  std::vector<std::string> ranges_since(std::size_t from) const {
    std::vector<std::string> ranges;
    const std::vector<std::string> lines = server_.requests();
    for (std::size_t i = from; i < lines.size(); ++i) {
      const auto at = lines[i].find("bytes=");
      ranges.push_back(at == std::string::npos ? "" : lines[i].substr(at));
    }
    return ranges;
  }
  /// Reports of the files that were fetched.
  void record_reports() {
    lab_.context.report = [this](const fetch::FetchReport& report) { reports_.push_back(report); };
  }

  FaultServer server_;
  FetchLab lab_;
  std::vector<fetch::FetchReport> reports_;
};

}  // namespace imgforge::testing
