#include "builder/derive/derivation.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "artifacts/codec/compression.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/content/file_list.hpp"
#include "builder/engine/engine.hpp"
#include "builder/engine/result.hpp"
#include "builder/image/disk/disk_convert.hpp"
#include "builder/machine/tool_versions.hpp"
#include "builder/provenance/slsa.hpp"
#include "builder/sbom/sbom.hpp"
#include "builder/sbom/vex.hpp"
#include "builder/steps/code_digests.hpp"
#include "builder/steps/profile_graph.hpp"
#include "core/json.hpp"

namespace imgforge::derive {
namespace {

using artifacts::Manifest;
using artifacts::ManifestArtifact;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

std::uint64_t unpacked_size(const ManifestArtifact& artifact) {
  const auto size = artifact.media.find(artifacts::kUnpackedSize);
  if (size == artifact.media.end()) throw Error(Kind::kIntegrity, artifact.file + " does not say its size");
  return core::Bytes::parse(size->second).value;
}

/// All that decides what is made, beside the code and programs that make it.
std::string parameters_of(const ManifestArtifact& origin, const std::string& format,
                          const std::string& parameters) {
  core::Json media = core::Json::object();
  for (const auto& [name, value] : origin.media) media[name] = value;
  return core::Json{{"from",
                     {{"format", origin.format},
                      {"sha256", origin.sha256.hex()},
                      {"size", origin.size},
                      {"virtual_size", origin.virtual_size},
                      {"media", media}}},
                    {"format", format},
                    {"how", core::Json::parse(parameters)}}
      .dump();
}

/// On the disk: without holes.
std::string size_text(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "?";
  return core::Bytes{static_cast<std::uint64_t>(status.st_blocks) * 512}.human();
}

}  // namespace

Derivation::Derivation(stages::Toolbox& tools, const DeriveRequest& request)
    : tools_(tools),
      request_(request),
      work_(tools.scratch(), "derive"),
      source_(tools, request, work_.path()) {}

void Derivation::add(const ManifestArtifact& origin, const std::string& format, const std::string& parameters,
                     std::vector<std::string_view> programs,
                     std::function<MadeFile(const fs::path& folder)> make) {
  engine::Step<DerivedFile> step;
  step.id = fmt::format("{}/{}", request_.source.line, format);
  step.kind = "derived";
  step.summary = fmt::format("{} from {}", format, origin.format);
  step.parameters = parameters_of(origin, format, parameters);
  step.tools = [this, programs = std::move(programs)] {
    auto tools = machine::tool_versions(programs, tools_.processes, tools_.cache_dir, tools_.cancel)
                     .get<engine::Tools>();
    tools.merge(steps::code_of({"artifacts/codec", "builder/derive", "builder/image"}));
    return tools;
  };
  step.lane = "disk";  // unpacked disks are large: one at a time
  step.make = [this, make = std::move(make)](engine::Context&) {
    const core::TempDir folder(work_.path(), "file");
    MadeFile made = make(folder.path());
    DerivedFile file;
    file.detail = made.detail;
    file.virtual_size = made.virtual_size;
    file.suffix = std::move(made.suffix);
    file.media = std::move(made.media);
    file.sha256 = tools_.blobs.adopt(made.path, {}, artifacts::Durability::kRemade).digest();
    return file;
  };
  step.words = [](const DerivedFile& file) { return file.detail; };
  made_.push_back({graph_.add(std::move(step), engine::recorded<DerivedFile>()), format, origin.sha256});
}

void Derivation::unpack(const ManifestArtifact& artifact, const fs::path& raw) const {
  if (artifacts::is_packed(artifact)) {
    artifacts::decompress_zstd(source_.take(artifact).path(), raw, core::Bytes{unpacked_size(artifact)},
                               tools_.cancel);
  } else {
    image::unpack_disk(source_.take(artifact).path(), artifact.format, raw, tools_.processes, tools_.cancel);
  }
}

MadeFile Derivation::pack(const fs::path& raw, const std::string& format, const ManifestArtifact& origin,
                          const fs::path& folder) const {
  MadeFile made;
  made.path = folder / ("made." + format);
  image::pack_disk(raw, format, made.path, {"derived " + origin.sha256.hex()}, tools_.processes,
                   tools_.cancel);
  made.virtual_size = fs::file_size(raw);
  made.suffix = artifacts::format_suffix(*artifacts::find_format(format), "image");
  made.media = carried_media(origin);
  if (artifacts::find_format(format)->compress == artifacts::CompressAs::kZstdClusters)
    made.media[kCompressionKey] = kZstd;
  made.detail = size_text(made.path);
  return made;
}

artifacts::PublishRequest Derivation::publish_request(engine::Context& context, const std::string& command,
                                                      const std::string& operation) const {
  const Manifest& source = source_.manifest();
  artifacts::PublishRequest publish;
  publish.name = source.name;
  publish.profile = source.profile;
  publish.version = request_.version ? *request_.version : *artifacts::Version::parse(source.version);
  publish.numbering = request_.version ? artifacts::Numbering::kAsGiven : artifacts::Numbering::kNextRevision;
  publish.current = request_.current;
  publish.command = command;
  std::vector<core::Digest> read;
  for (const Made& row : made_) {
    const DerivedFile& file = context[row.step];
    publish.artifacts.push_back({tools_.blob(file.sha256).path(), file.suffix, row.format, file.virtual_size,
                                 file.media, file.sha256});
    read.push_back(row.origin);
    for (const ManifestArtifact* artifact : row.companions) {
      const TakenFile taken = source_.take(*artifact);
      publish.artifacts.push_back({taken.path(), artifact->file.substr(source.stem().size()),
                                   artifact->format, artifact->virtual_size, artifact->media,
                                   taken.sha256()});
      read.push_back(artifact->sha256);
    }
  }
  publish.derived_from = artifacts::ManifestDerivation{request_.source.reference(), operation, read};
  publish.is_draft = source.is_draft;
  publish.signer = request_.signer;
  publish.signature = request_.identical_signature;
  publish.cancel = tools_.cancel;
  publish.finalise = [this](Manifest& manifest) {
    complete(manifest);
    std::vector<artifacts::Document> all = sbom::documents(manifest, inventory());
    // The root file system is the same in every encoding and size.
    if (const auto vex = source_.document(sbom::kVexFile)) {
      if (auto own = sbom::vex_document(manifest, sbom::read_vex(vex->content)))
        all.push_back(std::move(*own));
    }
    if (auto files = source_.document(content::kFileListFile)) all.push_back(std::move(*files));
    provenance::add_provenance(all, manifest, request_.signer, request_.builder_id);
    return all;
  };
  return publish;
}

/// The same files and boot loaders are in every encoding and size.
sbom::Inventory Derivation::inventory() const {
  const auto bill = source_.document(sbom::kCycloneDxFile);
  return bill ? sbom::read_inventory(bill->content) : sbom::Inventory();
}

/// All that is still true of the new release. Boots were not observed with the new files.
void Derivation::complete(Manifest& manifest) const {
  const Manifest& source = source_.manifest();
  manifest.created = core::iso_time(request_.build_time);
  manifest.recipe_sha256 = source.recipe_sha256;
  manifest.base = source.base;
  manifest.packages = source.packages;
  manifest.models = source.models;
  manifest.kernel_release = source.kernel_release;
  manifest.kernel_cmdline = source.kernel_cmdline;
  manifest.kernel_features = source.kernel_features;
  manifest.kernel_sha256 = source.kernel_sha256;
  manifest.initramfs_sha256 = source.initramfs_sha256;
  manifest.isolation = source.isolation;
  manifest.accelerator = source.accelerator;
  manifest.accelerator_reason = source.accelerator_reason;
  manifest.tool_version = IMGFORGE_VERSION;
  manifest.boot_expect = source.boot_expect;
  manifest.shared_commands = source.shared_commands;
  manifest.required_memory = source.required_memory;
  manifest.required_cpus = source.required_cpus;
  manifest.insecure = source.insecure;
}

artifacts::PublishResult Derivation::run(artifacts::Store& store, const std::string& command,
                                         const std::string& operation) {
  engine::Step<artifacts::PublishResult> step;
  step.id = request_.source.line + "/release";
  step.kind = "release";
  step.summary = operation;
  step.freshness = engine::Freshness::kActs;
  for (const Made& row : made_) step.inputs.push_back(engine::bytes_of(row.step));
  step.make = [&](engine::Context& context) {
    return store.publish(publish_request(context, command, operation));
  };
  step.words = [](const artifacts::PublishResult& result) {
    const bool found = result.outcome == artifacts::PublishOutcome::kIdentical;
    return result.manifest.version + (found ? " is there already" : "");
  };
  const auto release = graph_.add(std::move(step), engine::transient<artifacts::PublishResult>());
  engine::Engine engine(graph_, steps::environment_of(tools_, steps::BlobCheck::kHashed));
  artifacts::PublishResult result = engine.run(release);
  for (const std::string& warning : result.warnings) tools_.progress.warn(warning);
  return result;
}

std::map<std::string, std::string> carried_media(const ManifestArtifact& artifact) {
  std::map<std::string, std::string> media = artifact.media;
  for (const char* key : {kCompressionKey, artifacts::kUnpackedSize, artifacts::kUnpackedSha256})
    media.erase(key);
  return media;
}

}  // namespace imgforge::derive
