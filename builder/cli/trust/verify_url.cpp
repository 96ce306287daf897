#include <fmt/format.h>

#include <algorithm>

#include "artifacts/manifest/companions.hpp"
#include "builder/cli/trust/verify_subjects.hpp"
#include "builder/fetch/http/http.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/digest.hpp"
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

/// Hashes a body as it comes.
class HashSink : public fetch::Sink {
 public:
  void restart() override {
    sha256_ = core::Hasher(core::HashAlgorithm::kSha256);
    sha512_ = core::Hasher(core::HashAlgorithm::kSha512);
  }
  void write(std::span<const std::byte> data) override {
    sha256_.update(data);
    sha512_.update(data);
  }
  core::Digest sha256() { return sha256_.finish(); }
  core::Digest sha512() { return sha512_.finish(); }

 private:
  core::Hasher sha256_{core::HashAlgorithm::kSha256};
  core::Hasher sha512_{core::HashAlgorithm::kSha512};
};

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

/// A small file of the folder into `into`; whether it is there.
bool bring(fetch::Http& http, const std::string& folder, const std::string& name, const fs::path& into,
           std::uint64_t limit) {
  fetch::TextSink sink;
  fetch::Request request;
  request.url = fetch::join_url(folder, name);
  request.limit = limit;
  const std::vector<fetch::Result> results = http.run({{request, &sink}}, 1);
  if (const auto* failure = std::get_if<fetch::Failure>(&results.front())) {
    if (failure->absent) return false;
    throw failure->error;
  }
  core::NewFile file(into / name);
  file.write(sink.text());
  file.commit();
  return true;
}

template <class File>
CheckRow check_remote(fetch::Http& http, const std::string& folder, const File& file) {
  CheckRow row{file.file, "digest", false, {}, {}, {}};
  HashSink sink;
  fetch::Request request;
  request.url = fetch::join_url(folder, file.file);
  request.limit = file.size;
  request.size = file.size;
  try {
    const std::vector<fetch::Result> results = http.run({{request, &sink}}, 1);
    if (const auto* failure = std::get_if<fetch::Failure>(&results.front())) {
      Error error = failure->error;
      if (failure->absent)
        throw Error(Kind::kIntegrity, "missing: " + error.message()).reason(Reason::kMissing);
      if (error.kind() == Kind::kUnsafe || error.kind() == Kind::kIntegrity)
        error.reason(Reason::kSizeMismatch);
      throw std::move(error);
    }
    const core::Digest found = sink.sha256();
    if (found != file.sha256)
      throw Error(Kind::kIntegrity, "sha256 is " + found.hex() + ", the manifest says " + file.sha256.hex())
          .reason(Reason::kDigestMismatch);
    if (sink.sha512() != file.sha512)
      throw Error(Kind::kIntegrity, "sha512 differs from the manifest").reason(Reason::kDigestMismatch);
    row.ok = true;
    row.detail = "sha256:" + found.hex();
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted || error.kind() == Kind::kFetch) throw;
    row.fail(error);
  }
  return row;
}

}  // namespace

Finding verify_url(Context& context, const std::string& url, const artifacts::VerifyOptions& options) {
  fetch::HttpOptions http_options;
  http_options.user_agent = "imgforge/" IMGFORGE_VERSION;
  http_options.credentials = std::make_shared<fetch::Credentials>(fetch::credentials_from_environment());
  const std::unique_ptr<fetch::Http> http = fetch::make_http(http_options, context.cancel);
  Address address = split(url);

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

  artifacts::VerifyOptions head = options;
  head.contents = artifacts::Contents::kLeave;
  head.format = nullptr;
  Finding finding{fetch::redacted_url(url), artifacts::verify_release(folder, head), false};
  for (CheckRow& row : finding.report.rows) {
    if (row.subject == fs::canonical(folder).native()) row.subject = fetch::redacted_url(address.folder);
  }
  std::vector<CheckRow>& rows = finding.report.rows;
  if (finding.report.manifest) {
    const artifacts::Manifest& manifest = finding.report.manifest->manifest();
    const std::size_t before = rows.size();
    const auto check = [&](const auto& file) {
      if (address.file.empty() || file.file == address.file)
        rows.push_back(check_remote(*http, address.folder, file));
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
