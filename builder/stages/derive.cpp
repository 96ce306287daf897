#include "builder/stages/derive.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "artifacts/compression.hpp"
#include "artifacts/formats.hpp"
#include "artifacts/release_check.hpp"
#include "builder/image/disk_convert.hpp"
#include "builder/image/disk_grow.hpp"
#include "builder/stages/sbom.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

using artifacts::Manifest;
using artifacts::ManifestArtifact;
using artifacts::StagedArtifact;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kCompressionKey = "compression";
constexpr std::string_view kZstd = "zstd";

std::string role_of(const ManifestArtifact& artifact) {
  const auto role = artifact.media.find("role");
  return role == artifact.media.end() ? "image" : role->second;
}

/// One operation on one release: verified source, private folder, publication.
class Derivation {
 public:
  Derivation(artifacts::Store& store, const DeriveRequest& request, std::string command)
      : store_(store), request_(request), command_(std::move(command)), work_(request.scratch, "derive") {
    core::Activity activity = request_.progress.begin(step("source"));
    source_ = verified_source();
    activity.done(fmt::format("{} · signature and digests agree", source_.stem()));
  }

  const Manifest& source() const { return source_; }
  fs::path work(std::string_view name) const { return work_ / name; }
  const fs::path& folder() const { return work_.path(); }
  fs::path file_of(const ManifestArtifact& artifact) const {
    return request_.source.directory / artifact.file;
  }
  core::ProcessRunner& processes() const { return request_.processes; }
  const core::CancelToken& cancel() const { return request_.cancel; }

  /// The image of that format, or nullptr.
  const ManifestArtifact* find(std::string_view format) const {
    const auto found = std::find_if(
        source_.artifacts.begin(), source_.artifacts.end(),
        [&](const ManifestArtifact& row) { return row.format == format && role_of(row) == "image"; });
    return found == source_.artifacts.end() ? nullptr : &*found;
  }

  /// Runs a part of the work as a step of its own; it returns what to say of it.
  template <class Body>
  void run(const std::string& name, Body&& body) {
    core::Activity activity = request_.progress.begin(step(name));
    activity.done(body());
  }

  /// The disk of `artifact` as a raw file of ours.
  fs::path unpack(const ManifestArtifact& artifact) {
    const fs::path raw = work("disk.raw");
    if (artifacts::is_packed(artifact)) {
      artifacts::decompress_zstd(file_of(artifact), raw, core::Bytes{unpacked_size(artifact)}, cancel());
    } else {
      image::unpack_disk(file_of(artifact), artifact.format, raw, processes(), cancel());
    }
    read_.push_back(artifact.sha256);
    return raw;
  }

  void note_read(const ManifestArtifact& artifact) { read_.push_back(artifact.sha256); }

  void add(StagedArtifact artifact) { staged_.push_back(std::move(artifact)); }

  artifacts::PublishResult publish(const std::string& operation) {
    artifacts::PublishRequest publish;
    publish.name = source_.name;
    publish.profile = source_.profile;
    publish.version = request_.version ? *request_.version : *artifacts::Version::parse(source_.version);
    publish.numbering =
        request_.version ? artifacts::Numbering::kAsGiven : artifacts::Numbering::kNextRevision;
    publish.current = request_.current;
    publish.command = command_;
    publish.derived_from = artifacts::ManifestDerivation{request_.source.reference(), operation, read_};
    publish.artifacts = std::move(staged_);
    publish.sign = request_.sign;
    publish.signature = request_.identical_signature;
    publish.cancel = cancel();
    publish.finalise = [&](Manifest& manifest) {
      complete(manifest);
      return std::vector<artifacts::Document>{{std::string(kSbomFile), make_sbom(manifest)}};
    };
    artifacts::PublishResult result;
    run("release", [&] {
      result = store_.publish(publish);
      const bool found = result.outcome == artifacts::PublishOutcome::kIdentical;
      return result.manifest.version + (found ? " is there already" : "");
    });
    for (const std::string& warning : result.warnings) request_.progress.warn(warning);
    return result;
  }

 private:
  std::string step(std::string_view name) const { return fmt::format("{}/{}", request_.source.line, name); }

  Manifest verified_source() const {
    if (request_.source.archived) {
      throw Error(Kind::kUsage, request_.source.reference() + " is archived")
          .hint("imgforge restore " + request_.source.reference());
    }
    const artifacts::VerifyReport report = artifacts::verify_release(
        request_.source.directory, {request_.signature, {}, artifacts::Extras::kNote});
    if (report.ok()) return report.manifest->manifest();
    for (const artifacts::CheckRow& row : report.rows) {
      if (row.ok) continue;
      throw Error(row.kind.value_or(Kind::kIntegrity),
                  fmt::format("{} is not used: {} {}: {}", request_.source.reference(), row.check,
                              core::escaped(row.subject, 200), row.detail))
          .hint("imgforge verify " + request_.source.directory.native() + " says more");
    }
    throw Error(Kind::kSignature,
                request_.source.reference() + " is not used: it is not signed by a trusted key");
  }

  static std::uint64_t unpacked_size(const ManifestArtifact& artifact) {
    const auto size = artifact.media.find(artifacts::kUnpackedSize);
    if (size == artifact.media.end()) throw Error(Kind::kIntegrity, artifact.file + " does not say its size");
    return core::Bytes::parse(size->second).value;
  }

  /// All that is still true of the new release. Boots were not observed with the new files.
  void complete(Manifest& manifest) const {
    manifest.created = core::iso_time(request_.build_time);
    manifest.recipe_sha256 = source_.recipe_sha256;
    manifest.base = source_.base;
    manifest.packages = source_.packages;
    manifest.models = source_.models;
    manifest.kernel_release = source_.kernel_release;
    manifest.kernel_cmdline = source_.kernel_cmdline;
    manifest.accelerator = source_.accelerator;
    manifest.accelerator_reason = source_.accelerator_reason;
    manifest.tool_version = IMGFORGE_VERSION;
    manifest.boot_expect = source_.boot_expect;
    manifest.required_memory = source_.required_memory;
    manifest.required_cpus = source_.required_cpus;
    manifest.insecure = source_.insecure;
  }

  artifacts::Store& store_;
  const DeriveRequest& request_;
  std::string command_;
  core::TempDir work_;
  Manifest source_;
  std::vector<core::Digest> read_;
  std::vector<StagedArtifact> staged_;
};

std::string suffix_of(std::string_view format) {
  return std::string(artifacts::format_suffix(*artifacts::find_format(format), "image"));
}

/// `media` of the source without what tells of its encoding.
std::map<std::string, std::string> carried_media(const ManifestArtifact& artifact) {
  std::map<std::string, std::string> media = artifact.media;
  for (const char* key : {"compression", artifacts::kUnpackedSize, artifacts::kUnpackedSha256})
    media.erase(key);
  return media;
}

/// The raw disk in the wanted format, as an artifact of the new release.
StagedArtifact packed(const Derivation& work, const fs::path& raw, std::string_view format,
                      const ManifestArtifact& origin) {
  const fs::path output = work.work(fmt::format("made.{}", format));
  image::pack_disk(raw, format, output, {"derived " + origin.sha256.hex()}, work.processes(), work.cancel());
  std::map<std::string, std::string> media = carried_media(origin);
  if (format == "qcow2") media[std::string(kCompressionKey)] = kZstd;
  return {output, suffix_of(format), std::string(format), fs::file_size(raw), std::move(media)};
}

std::string size_text(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "?";
  return core::Bytes{static_cast<std::uint64_t>(status.st_blocks) * 512}.human();
}

Error no_disk(const Derivation& work, std::string_view wanted) {
  std::vector<std::string> there;
  for (const ManifestArtifact& artifact : work.source().artifacts) {
    if (role_of(artifact) == "image") there.push_back(artifact.format);
  }
  return Error(Kind::kUsage,
               fmt::format("{} has no {}; it has {}", work.source().stem(), wanted, core::join(there, ", ")));
}

void check_format_name(const std::string& format) {
  if (artifacts::find_format(format) != nullptr) return;
  const std::vector<std::string> names(artifacts::kFormatNames.begin(), artifacts::kFormatNames.end());
  Error error(Kind::kUsage, fmt::format("there is no format \"{}\"", core::escaped(format, 100)));
  const std::string near = core::nearest_word(format, names);
  throw error.hint(near.empty() ? "one of " + core::join(names, ", ") : "did you mean " + near + "?");
}

/// Why nothing but a disk can be converted.
void require_disk_format(const std::string& format) {
  check_format_name(format);
  if (image::is_disk_format(format)) return;
  const std::string_view carrier = artifacts::find_format(format)->carrier == artifacts::Carrier::kDisk
                                       ? "is a disk with other files around it"
                                       : "is made from the root file system, not from a disk";
  throw Error(Kind::kUsage, fmt::format("{} {}", format, carrier))
      .hint(fmt::format("build the recipe with --format {}", format));
}

const ManifestArtifact& convert_source(const Derivation& work, const std::string& from) {
  if (!from.empty()) {
    require_disk_format(from);
    if (const ManifestArtifact* artifact = work.find(from)) return *artifact;
    throw no_disk(work, from);
  }
  for (const std::string_view format : image::disk_formats()) {
    if (const ManifestArtifact* artifact = work.find(format)) return *artifact;
  }
  throw no_disk(work, "disk to convert");
}

/// True for what compress_release has something to do with.
bool is_compressible(const ManifestArtifact& artifact) {
  if (role_of(artifact) != "image" || artifacts::is_packed(artifact)) return false;
  if (artifact.format == "raw" || artifact.format == "usb") return true;
  const auto compression = artifact.media.find(std::string(kCompressionKey));
  return artifact.format == "qcow2" && (compression == artifact.media.end() || compression->second != kZstd);
}

/// The image as a zstd file; manifest and media say what it unpacks to.
StagedArtifact zstd_file(const Derivation& work, const ManifestArtifact& artifact, int level) {
  const fs::path output = work.work(artifact.format + ".zst");
  artifacts::compress_zstd(work.file_of(artifact), output, level, artifacts::LongMode::kOn, work.cancel());
  std::map<std::string, std::string> media = carried_media(artifact);
  media[std::string(kCompressionKey)] = kZstd;
  media[artifacts::kUnpackedSize] = std::to_string(artifact.size);
  media[artifacts::kUnpackedSha256] = artifact.sha256.hex();
  return {output, suffix_of(artifact.format) + ".zst", artifact.format,
          artifact.virtual_size == 0 ? artifact.size : artifact.virtual_size, std::move(media)};
}

/// The other files of the format go along as they are: a block map describes the unpacked image.
void add_companions(Derivation& work, const ManifestArtifact& image) {
  for (const ManifestArtifact& artifact : work.source().artifacts) {
    if (artifact.format != image.format || role_of(artifact) == "image") continue;
    work.note_read(artifact);
    work.add({work.file_of(artifact), artifact.file.substr(work.source().stem().size()), artifact.format,
              artifact.virtual_size, artifact.media});
  }
}

std::vector<const ManifestArtifact*> compressible(const Derivation& work,
                                                  const std::vector<std::string>& formats) {
  std::vector<const ManifestArtifact*> chosen;
  for (const std::string& format : formats) {
    check_format_name(format);
    const ManifestArtifact* artifact = work.find(format);
    if (artifact == nullptr) throw no_disk(work, format);
    if (!is_compressible(*artifact))
      throw Error(Kind::kUsage,
                  artifact->file + " is compressed already, or is of a format that is as it is");
    chosen.push_back(artifact);
  }
  if (!formats.empty()) return chosen;
  for (const ManifestArtifact& artifact : work.source().artifacts) {
    if (is_compressible(artifact)) chosen.push_back(&artifact);
  }
  if (chosen.empty()) {
    throw Error(Kind::kUsage, work.source().stem() + " has nothing to compress")
        .hint(
            "raw disks and sticks become zstd files, qcow2 gets zstd clusters; the other formats are "
            "published as they are");
  }
  return chosen;
}

}  // namespace

artifacts::PublishResult convert_release(artifacts::Store& store, const DeriveRequest& request,
                                         const std::string& to, const std::string& from) {
  require_disk_format(to);
  return core::while_doing("converting " + request.source.reference(), [&] {
    Derivation work(store, request, "convert");
    if (const ManifestArtifact* there = work.find(to); there != nullptr && !artifacts::is_packed(*there))
      throw Error(Kind::kUsage, fmt::format("{} has {} already: {}", work.source().stem(), to, there->file));
    const ManifestArtifact& origin = convert_source(work, from);
    work.run(to, [&] {
      const fs::path raw = work.unpack(origin);
      StagedArtifact made = packed(work, raw, to, origin);
      const std::string detail = fmt::format("{} from {}", size_text(made.path), origin.format);
      work.add(std::move(made));
      return detail;
    });
    return work.publish("convert to " + to);
  });
}

artifacts::PublishResult compress_release(artifacts::Store& store, const DeriveRequest& request,
                                          const std::vector<std::string>& formats, int level) {
  return core::while_doing("compressing " + request.source.reference(), [&] {
    Derivation work(store, request, "compress");
    for (const ManifestArtifact* origin : compressible(work, formats)) {
      work.run(origin->format, [&] {
        if (origin->format == "qcow2") {
          const fs::path raw = work.unpack(*origin);
          work.add(packed(work, raw, "qcow2", *origin));
          fs::remove(raw);
        } else {
          work.note_read(*origin);
          work.add(zstd_file(work, *origin, level));
          add_companions(work, *origin);
        }
        return "zstd, from " + core::Bytes{origin->size}.human();
      });
    }
    return work.publish("compress");
  });
}

artifacts::PublishResult resize_release(artifacts::Store& store, const DeriveRequest& request,
                                        core::Bytes size, const std::string& format) {
  if (!format.empty() && format != "qcow2" && format != "raw") {
    check_format_name(format);
    throw Error(Kind::kUsage, fmt::format("{} is not resized", format))
        .hint("resize qcow2 or raw, then convert the result");
  }
  return core::while_doing("resizing " + request.source.reference(), [&] {
    Derivation work(store, request, "resize");
    const ManifestArtifact* origin = nullptr;
    for (const char* candidate : {"qcow2", "raw"}) {
      if (origin == nullptr && (format.empty() || format == candidate)) origin = work.find(candidate);
    }
    if (origin == nullptr) throw no_disk(work, format.empty() ? "qcow2 or raw disk" : format);
    core::Bytes reached;
    work.run(origin->format, [&] {
      const fs::path raw = work.unpack(*origin);
      const image::GrownDisk grown =
          image::grow_disk(raw, size, work.folder(), work.processes(), work.cancel());
      reached = grown.after;
      StagedArtifact made = packed(work, raw, origin->format, *origin);
      std::string detail = fmt::format("{} -> {}, root {} · {}", grown.before.to_string(),
                                       grown.after.to_string(), grown.root.to_string(), size_text(made.path));
      work.add(std::move(made));
      return detail;
    });
    return work.publish("resize to " + reached.to_string());
  });
}

}  // namespace imgforge::stages
