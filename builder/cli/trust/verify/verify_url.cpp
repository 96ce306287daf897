#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/trust/verify/remote_bytes.hpp"
#include "builder/cli/trust/verify/verify_subjects.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/pull/http_source.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::CheckRow;
using core::Error;
using core::Kind;
using core::Reason;

/// The folder that a URL names a file in, and the file; a URL that ends in a slash names the folder.
struct Address {
  std::string folder;
  std::string file;
};

Address split(const std::string& url) {
  fetch::check_url(url);
  if (url.find_first_of("?#") != std::string::npos)
    throw Error(Kind::kUsage, "a release's URL has no query and no fragment");
  const std::size_t slash = url.rfind('/');
  Address address{url.substr(0, slash + 1), url.substr(slash + 1)};
  if (address.file == artifacts::kManifestFile || address.file == artifacts::kSumsFile) address.file.clear();
  return address;
}

/// Puts a small file of the folder below `into`; whether the server has it.
bool bring(fetch::Http& http, const std::string& folder, const std::string& name, const fs::path& into,
           std::uint64_t limit) {
  fetch::Request request;
  request.url = fetch::join_url(folder, name);
  request.limit = limit;
  const std::optional<std::string> text = pull::fetch_small(http, request);
  if (!text) return false;
  core::NewFile file(into / name);
  file.write(*text);
  file.commit();
  return true;
}

}  // namespace

Finding verify_url(Context& context, const std::string& url, const artifacts::VerifyOptions& options,
                   const signing::TrustStore& trust) {
  Address address = split(url);
  const std::unique_ptr<fetch::Http> http = remote_http(context);
  const core::TempDir scratch(fs::temp_directory_path(), "imgforge-verify");
  const fs::path folder = scratch / "release";
  fs::create_directory(folder);
  const auto get = [&](const std::string& name, std::uint64_t limit) {
    return bring(*http, address.folder, name, folder, limit);
  };
  if (!get(artifacts::kManifestFile, artifacts::kMaxManifestBytes) && !address.file.empty()) {
    // ".../v20261120" may be the folder as people copy it, without its slash.
    address = {url + "/", ""};
    get(artifacts::kManifestFile, artifacts::kMaxManifestBytes);
  }
  get(artifacts::kSumsFile, artifacts::kMaxManifestBytes);
  for (const char* name : {artifacts::kManifestFile, artifacts::kSumsFile})
    get(std::string(name) + artifacts::kSignatureSuffix, 4096);
  for (const std::string& name : further_signatures(trust)) get(name, 4096);

  artifacts::VerifyOptions head = options;
  head.contents = artifacts::Contents::kLeave;
  head.format = nullptr;
  Finding finding{fetch::redacted_url(url), artifacts::verify_release(folder, head), {}, false, false};
  std::vector<CheckRow>& rows = finding.report.rows;
  for (CheckRow& row : rows) {
    if (row.subject == fs::canonical(folder).native()) row.subject = fetch::redacted_url(address.folder);
  }
  if (finding.report.manifest) {
    const artifacts::Manifest& manifest = finding.report.manifest->manifest();
    const std::size_t before = rows.size();
    const auto check = [&](const auto& file) {
      if (!address.file.empty() && file.file != address.file) return;
      rows.push_back(check_remote(*http, {file.file, fetch::join_url(address.folder, file.file), file.size,
                                          file.sha256, file.sha512}));
    };
    for (const auto& artifact : manifest.artifacts) check(artifact);
    for (const auto& document : manifest.documents) check(document);
    if (rows.size() == before) {
      CheckRow row{core::escaped(address.file, 200), "digest", false, {}, {}, {}};
      row.fail(
          Error(Kind::kIntegrity, "not in the manifest of " + manifest.stem()).reason(Reason::kWrongSubject));
      rows.push_back(std::move(row));
    }
  }
  finding.ok = finding.report.ok();
  return finding;
}

}  // namespace imgforge::cli
