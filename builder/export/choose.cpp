#include "builder/export/choose.hpp"

#include <algorithm>
#include <tuple>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::exports {
namespace {

using artifacts::Version;

struct Found {
  Version version;
  std::string created;
  bool is_unsigned = false;
  bool is_draft = false;
};

Found examine(const artifacts::Store& store, const std::string& line, const Version& version) {
  const std::filesystem::path directory = store.release_directory(line, version);
  return core::while_doing("reading the release " + directory.native(), [&]() -> Found {
    const artifacts::Manifest manifest = artifacts::parse_manifest(
        core::read_text_file(directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes));
    return {version, manifest.created, manifest.is_unsigned, manifest.is_draft};
  });
}

}  // namespace

std::vector<Candidate> choose_releases(const artifacts::Store& store, std::size_t keep_last) {
  std::vector<Candidate> chosen;
  for (const std::string& line : store.lines()) {
    const std::optional<Version> current = store.current(line);
    if (!current) continue;
    const Found head = examine(store, line, *current);
    std::vector<Found> found{head};
    for (const Version& version : store.versions(line)) {
      if (version == *current) continue;
      const Found other = examine(store, line, version);
      if (other.is_draft) continue;
      if (std::tie(other.created, other.version) < std::tie(head.created, head.version))
        found.push_back(other);
    }
    std::sort(found.begin() + 1, found.end(), [](const Found& a, const Found& b) {
      return std::tie(a.created, a.version) > std::tie(b.created, b.version);
    });
    if (keep_last > 0 && found.size() > keep_last) found.resize(keep_last);
    for (const Found& row : found) {
      chosen.push_back(
          {line, row.version.to_string(), store.release_directory(line, row.version), row.is_unsigned});
    }
  }
  return chosen;
}

}  // namespace imgforge::exports
