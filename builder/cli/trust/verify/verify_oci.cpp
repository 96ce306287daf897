// A container image in a registry against the releases of the store: the signed manifest of a release names
// the digest of its image's manifest, and that names all the rest.
// (https://github.com/opencontainers/distribution-spec, pull; image specification 1.0, manifest.)
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "artifacts/store/inventory.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/trust/verify/remote_bytes.hpp"
#include "builder/cli/trust/verify/verify_subjects.hpp"
#include "builder/models/sources/registry_http.hpp"
#include "builder/pull/http_source.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::CheckRow;
using core::Error;
using core::Kind;
using core::Reason;

constexpr std::uint64_t kMaxManifest = 4 << 20;
constexpr std::size_t kMaxLayers = 128;

struct Reference {
  std::string host;
  std::string repository;
  std::string tag;  ///< or a digest
};

Reference parse(const std::string& text) {
  static const std::regex form(
      R"((?:oci|docker)://([A-Za-z0-9.\-]+(?::[0-9]{1,5})?)/([a-z0-9]+(?:[._/\-]+[a-z0-9]+)*)(?::([\w][\w.\-]{0,127})|@(sha256:[0-9a-f]{64}))?)");
  std::smatch parts;
  if (text.size() > 512 || !std::regex_match(text, parts, form))
    throw Error(Kind::kUsage, core::escaped(text, 200) + " is no reference of a container image")
        .hint("as in oci://registry.example/team/image:tag or ...@sha256:...");
  Reference reference{parts[1], parts[2], "latest"};
  if (parts[3].matched) reference.tag = parts[3];
  if (parts[4].matched) reference.tag = parts[4];
  return reference;
}

/// The release of the store whose manifest, unchecked so far, names that image.
const artifacts::InventoryRelease* find_release_of(const artifacts::Inventory& inventory,
                                                   const std::string& digest) {
  for (const artifacts::InventoryRelease* release : inventory.releases()) {
    if (!release->manifest) continue;
    for (const artifacts::ManifestArtifact& artifact : release->manifest->artifacts) {
      const auto found = artifact.media.find("manifest");
      if (artifact.format == "oci" && found != artifact.media.end() && found->second == digest)
        return release;
    }
  }
  return nullptr;
}

RemoteFile blob(const core::Json& row, const std::string& base) {
  const std::string digest = row.at("digest").get<std::string>();
  const core::Digest sha256 = core::Digest::parse(digest);
  if (sha256.algorithm() != core::HashAlgorithm::kSha256)
    throw Error(Kind::kIntegrity, "a blob without sha256").reason(Reason::kMalformed);
  return {digest.substr(0, 23), base + "/blobs/" + digest, row.at("size").get<std::uint64_t>(), sha256, {}};
}

/// What the image's manifest names: its configuration and its layers.
std::vector<RemoteFile> blobs_of(const std::string& text, const std::string& base) {
  try {
    const core::Json json =
        core::parse_json(text, "manifest of the image", {.bytes = kMaxManifest, .depth = 16});
    std::vector<RemoteFile> files{blob(json.at("config"), base)};
    const core::Json& layers = json.at("layers");
    if (layers.size() > kMaxLayers)
      throw Error(Kind::kUnsafe, "more layers than 128").reason(Reason::kMalformed);
    for (const core::Json& layer : layers) files.push_back(blob(layer, base));
    return files;
  } catch (const core::Json::exception& error) {
    throw Error(Kind::kIntegrity, core::escaped(error.what(), 160)).reason(Reason::kMalformed);
  }
}

}  // namespace

Finding verify_oci(Context& context, const std::string& text, const artifacts::VerifyOptions& options) {
  const Reference reference = parse(text);
  const std::string registry = models::registry_url(reference.host);
  const std::string base = fmt::format("{}/v2/{}", registry, reference.repository);
  const std::unique_ptr<fetch::Http> plain = remote_http(context);
  models::RegistryHttp http(*plain, registry + "/v2/");
  Finding finding{text, {}, {}, false, false};
  const auto fail = [&](const char* check, const Error& error) {
    CheckRow row{text, check, false, {}, {}, {}};
    row.fail(error);
    finding.report.rows.push_back(std::move(row));
    return finding;
  };

  const std::optional<std::string> manifest =
      pull::fetch_small(http, {.url = base + "/manifests/" + reference.tag,
                               .limit = kMaxManifest,
                               .headers = {"Accept: application/vnd.oci.image.manifest.v1+json"}});
  if (!manifest)
    return fail("manifest",
                Error(Kind::kIntegrity, "the registry has no such image").reason(Reason::kMissing));
  const std::string digest = core::digest_of(core::HashAlgorithm::kSha256, *manifest).to_string();
  if (reference.tag.starts_with("sha256:") && reference.tag != digest)
    return fail("manifest", Error(Kind::kIntegrity, "the registry gave another manifest: " + digest)
                                .reason(Reason::kDigestMismatch));
  const artifacts::Inventory inventory = artifacts::read_inventory(open_store(context));
  const artifacts::InventoryRelease* release = find_release_of(inventory, digest);
  if (release == nullptr)
    return fail("manifest", Error(Kind::kIntegrity, fmt::format("no release of {} has the image {}",
                                                                context.options.output_dir.native(), digest))
                                .reason(Reason::kWrongSubject));

  artifacts::VerifyOptions head = options;
  head.contents = artifacts::Contents::kLeave;
  head.format = nullptr;
  finding.report = artifacts::verify_release(release->directory, head);
  if (!finding.report.manifest) return finding;
  CheckRow row{digest.substr(0, 23), "manifest", true, "the image of " + release->reference(), {}, {}};
  finding.report.rows.push_back(std::move(row));
  try {
    for (const RemoteFile& file : blobs_of(*manifest, base)) {
      context.cancel.check();
      finding.report.rows.push_back(check_remote(http, file));
    }
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted || error.kind() == Kind::kFetch) throw;
    return fail("manifest", error);
  }
  finding.ok = finding.report.ok();
  return finding;
}

}  // namespace imgforge::cli
