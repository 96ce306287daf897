#include "artifacts/check/verify.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <system_error>

#include "artifacts/check/attempt.hpp"
#include "artifacts/check/signatures.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/manifest/companions.hpp"
#include "core/counting.hpp"
#include "core/error.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {

using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxExtraRows = 100;

}  // namespace

/// Collects rows; the only one that makes a SignedManifest.
class Verifier {
 public:
  /// `asked` is what a person named, links and all; `directory` is what that led to.
  Verifier(const fs::path& asked, fs::path directory, const VerifyOptions& options)
      : asked_(fs::absolute(asked).lexically_normal()), directory_(std::move(directory)), options_(options) {
    if (!asked_.has_filename()) asked_ = asked_.parent_path();
  }

  VerifyReport release() && {
    const std::optional<Manifest> manifest = read_manifest(directory_ / kManifestFile);
    if (manifest) {
      check_directory_name(*manifest);
      check_asked_line(*manifest);
    }
    if (manifest && is_vouched_for()) {
      for (const ManifestArtifact& artifact : manifest->artifacts) note_stamp(directory_ / artifact.file);
      if (options_.contents == Contents::kHash) {
        for (CheckRow& row : check_files(directory_, *manifest, Digests::kBoth, core::kOneACore)) {
          if (!row.ok) foreign_.insert(row.subject);
          report_.rows.push_back(std::move(row));
        }
      }
      for (const ManifestArtifact& artifact : manifest->artifacts)
        check_format(directory_ / artifact.file, artifact);
      for (const ManifestArtifact& artifact : manifest->artifacts)
        check_content(directory_ / artifact.file, artifact, *manifest);
    }
    check_sums(manifest);
    if (manifest) check_extras(*manifest);
    return std::move(report_);
  }

  VerifyReport file(const fs::path& path, const std::string& name, const fs::path& manifest_path) && {
    const std::optional<Manifest> manifest = read_manifest(manifest_path);
    if (!manifest) return std::move(report_);
    const auto artifact = std::find_if(
        manifest->artifacts.begin(), manifest->artifacts.end(), [&](const ManifestArtifact& row) {
          return row.file == name || stored_path(path.parent_path(), row.file) == path;
        });
    if (artifact == manifest->artifacts.end()) {
      const auto document = std::find_if(manifest->documents.begin(), manifest->documents.end(),
                                         [&](const ManifestDocument& row) { return row.file == name; });
      if (document != manifest->documents.end()) {
        if (is_vouched_for())
          report_.rows.push_back(check_file(path, document->size, document->sha256, document->sha512));
        return std::move(report_);
      }
      attempt(name, "digest", [&]() -> std::string {
        throw Error(Kind::kIntegrity, "not in the manifest of " + manifest->stem())
            .reason(Reason::kWrongSubject);
      });
      return std::move(report_);
    }
    check_asked_name(*manifest, *artifact);
    if (!is_vouched_for()) return std::move(report_);
    const bool packed = artifact->file != name;
    note_stamp(path);
    report_.rows.push_back(packed ? check_stored_file(path.parent_path(), artifact->file, artifact->size,
                                                      artifact->sha256, artifact->sha512)
                                  : check_file(path, artifact->size, artifact->sha256, artifact->sha512));
    if (!report_.rows.back().ok) foreign_.insert(artifact->file);
    if (packed) return std::move(report_);
    check_format(path, *artifact);
    check_content(path, *artifact, *manifest);
    return std::move(report_);
  }

  VerifyReport fail(const std::string& subject, const char* check, const Error& error) && {
    CheckRow row{subject, check, false, {}, {}, {}};
    row.fail(error);
    report_.rows.push_back(std::move(row));
    return std::move(report_);
  }

 private:
  template <class Body>
  bool attempt(const std::string& subject, const char* check, Body&& body) {
    return artifacts::attempt(report_.rows, subject, check, std::forward<Body>(body));
  }

  static bool has_signature(const fs::path& file) {
    std::error_code error;
    return fs::symlink_status(file.native() + kSignatureSuffix, error).type() != fs::file_type::not_found;
  }

  /// Signature first, then the meaning, both over the bytes that were read once.
  std::optional<Manifest> read_manifest(const fs::path& path) {
    std::string bytes;
    if (!attempt(path.filename().native(), "file", [&] {
          bytes = read_bounded(path, kMaxManifestBytes);
          return std::to_string(bytes.size()) + " bytes";
        })) {
      return std::nullopt;
    }
    manifest_digest_ = core::digest_of(core::HashAlgorithm::kSha256, bytes);
    const std::optional<std::string> signer = check_signatures(report_.rows, path, bytes, options_.signature);
    std::optional<Manifest> manifest;
    attempt(path.filename().native(), "manifest", [&] {
      manifest = parse_manifest(bytes);
      if (signer && manifest->is_unsigned)
        throw Error(Kind::kIntegrity, "signed, but says that it is unsigned").reason(Reason::kMalformed);
      return manifest->insecure.empty() ? manifest->stem()
                                        : manifest->stem() + ", made with " +
                                              core::escaped(core::join(manifest->insecure, ", "), 200);
    });
    if (signer && manifest && report_.rows.back().ok) {
      report_.manifest = SignedManifest(*manifest, *signer, manifest_digest_);
    } else if (!signer && manifest && manifest->is_unsigned && !has_signature(path)) {
      report_.unsigned_manifest = *manifest;
    }
    return manifest;
  }

  /// Else the manifest may be anybody's: no byte is hashed and no program is run because of what it says.
  bool is_vouched_for() const { return report_.manifest || report_.unsigned_manifest; }

  /// A whole older release copied under another name would pass all other checks.
  void check_directory_name(const Manifest& manifest) {
    attempt(directory_.native(), "name", [&]() -> std::string {
      const std::string name = directory_.filename().native();
      const std::string parent = directory_.parent_path().filename().native();
      const bool in_store = directory_.parent_path().parent_path().filename() == "releases";
      // A chosen version cannot be told from any other name of a folder; a dated one can.
      const std::optional<Version> version = Version::parse(name);
      if (version && version->chosen.empty() && name != manifest.version) {
        throw Error(Kind::kIntegrity, "the directory is named " + name + " but holds " + manifest.version)
            .reason(Reason::kWrongSubject);
      }
      if (in_store && (name != manifest.version || parent != manifest.line())) {
        throw Error(Kind::kIntegrity,
                    "releases/" + core::escaped(parent + "/" + name, 200) + " holds " + manifest.stem())
            .reason(Reason::kWrongSubject);
      }
      const bool archived = directory_.parent_path().parent_path().filename() == "archive";
      if (archived && name != manifest.stem()) {
        throw Error(Kind::kIntegrity,
                    "archive/" + core::escaped(parent + "/" + name, 200) + " holds " + manifest.stem())
            .reason(Reason::kWrongSubject);
      }
      return in_store || archived ? "in its place" : "outside a store";
    });
  }

  /// `releases/demo/current` that leads to a release of another line is not what was asked for.
  void check_asked_line(const Manifest& manifest) {
    const fs::path line = asked_.parent_path();
    if (asked_ == directory_ || line.parent_path().filename() != "releases" ||
        line.filename() == manifest.line())
      return;
    attempt(asked_.native(), "name", [&]() -> std::string {
      throw Error(Kind::kIntegrity, "leads to a release of another line: " + manifest.stem())
          .reason(Reason::kWrongSubject);
    });
  }

  /// A name that leads to an artifact is that artifact's own, with version or without; a link called like
  /// another image makes whoever flashes it take the wrong one. Names with other endings promise nothing.
  void check_asked_name(const Manifest& manifest, const ManifestArtifact& artifact) {
    const std::string asked = asked_.filename();
    const std::string suffix = artifact.file.substr(manifest.stem().size());
    if (!asked.ends_with(suffix) || asked == artifact.file || asked == manifest.line() + suffix) return;
    attempt(core::escaped(asked, 200), "name", [&]() -> std::string {
      throw Error(Kind::kIntegrity, "leads to " + artifact.file).reason(Reason::kWrongSubject);
    });
  }

  /// Bytes that are not those of the manifest are somebody else's: what their format is does not matter. What
  /// is in them is told all the same, by the confined child of `content`.
  bool is_foreign(const fs::path& file) const { return foreign_.contains(file.filename().native()); }

  void check_format(const fs::path& file, const ManifestArtifact& artifact) {
    if (is_foreign(file)) return;
    // What is packed in the archive is looked into when it is restored.
    if (!options_.format || is_packed(stored_path(file.parent_path(), file.filename()), file.filename()))
      return;
    attempt(file.filename().native(), "format", [&] {
      std::error_code error;
      if (fs::symlink_status(file, error).type() != fs::file_type::regular) {
        throw Error(Kind::kIntegrity, "not a regular file");
      }
      return options_.format(file, artifact);
    });
  }

  /// What changes when a file does: digest and content are read one after the other.
  using Stamp = std::array<std::int64_t, 7>;
  static Stamp stamp_of(const fs::path& file) {
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0) return {};
    return {static_cast<std::int64_t>(status.st_dev),
            static_cast<std::int64_t>(status.st_ino),
            static_cast<std::int64_t>(status.st_size),
            status.st_mtim.tv_sec,
            status.st_mtim.tv_nsec,
            status.st_ctim.tv_sec,
            status.st_ctim.tv_nsec};
  }
  void note_stamp(const fs::path& file) {
    if (options_.content) stamps_[file] = stamp_of(file);
  }

  void check_content(const fs::path& file, const ManifestArtifact& artifact, const Manifest& manifest) {
    if (!options_.content || is_packed(stored_path(file.parent_path(), file.filename()), file.filename()))
      return;
    for (CheckRow& row : options_.content(file, artifact, manifest)) report_.rows.push_back(std::move(row));
    if (stamps_[file] == stamp_of(file)) return;
    attempt(file.filename().native(), "content", []() -> std::string {
      throw Error(Kind::kIntegrity, "changed while it was verified").reason(Reason::kDigestMismatch);
    });
  }

  void check_sums(const std::optional<Manifest>& manifest) {
    std::string bytes;
    if (!attempt(kSumsFile, "file", [&] {
          bytes = read_bounded(directory_ / kSumsFile, kMaxManifestBytes);
          return std::to_string(bytes.size()) + " bytes";
        })) {
      return;
    }
    check_signatures(report_.rows, directory_ / kSumsFile, bytes, options_.signature);
    pass_over_key(report_.rows.back());
    if (!manifest) return;
    attempt(kSumsFile, "sums", [&]() -> std::string {
      if (bytes != print_sums(*manifest, manifest_digest_)) {
        throw Error(Kind::kIntegrity, "differs from the manifest").reason(Reason::kDigestMismatch);
      }
      return "the same as the manifest";
    });
  }

  /// The list says what the signed manifest says, which is checked too: a key of its own that does not count,
  /// or not alone, takes nothing away.
  void pass_over_key(CheckRow& row) const {
    const bool is_about_key = core::does_not_count(row.reason) || row.reason == Reason::kBelowThreshold;
    if (row.ok || !report_.manifest || !is_about_key) return;
    row.ok = true;
    row.kind.reset();
    row.detail = "not counted, as the manifest's signature is: " + row.detail;
  }

  void check_extras(const Manifest& manifest) {
    std::map<std::string, std::string> links;  // unversioned name and where it has to lead
    std::set<std::string> listed{kManifestFile, std::string(kManifestFile) + kSignatureSuffix, kSumsFile,
                                 std::string(kSumsFile) + kSignatureSuffix};
    for (const ManifestArtifact& artifact : manifest.artifacts) {
      listed.insert(stored_path(directory_, artifact.file).filename());
      links[manifest.line() + artifact.file.substr(manifest.stem().size())] = artifact.file;
    }
    for (const ManifestDocument& document : manifest.documents)
      listed.insert(stored_path(directory_, document.file).filename());
    std::vector<std::string> extras;
    attempt(directory_.native(), "listing", [&] {
      for (const auto& entry : fs::directory_iterator(directory_)) {
        const std::string name = entry.path().filename().native();
        const auto link = links.find(name);
        const bool expected =
            link == links.end()
                ? listed.contains(name) ||
                      (is_companion(name) && entry.symlink_status().type() == fs::file_type::regular)
                : entry.is_symlink() && fs::read_symlink(entry.path()) == link->second;
        if (!expected) extras.push_back(name);
      }
      return std::string("read");
    });
    // Links that lie come first, so that a flood of other names cannot hide them.
    std::sort(extras.begin(), extras.end(), [&](const std::string& a, const std::string& b) {
      return std::pair(!links.contains(a), a) < std::pair(!links.contains(b), b);
    });
    if (extras.size() > kMaxExtraRows) extras.resize(kMaxExtraRows);
    for (const std::string& name : extras) {
      const bool foreign_link = links.contains(name);
      const bool ok = options_.extras == Extras::kNote && !foreign_link;
      report_.rows.push_back({core::escaped(name, 200), "extra", ok,
                              foreign_link ? "leads elsewhere than to its artifact" : "not in the manifest",
                              ok ? std::nullopt : std::optional(Kind::kIntegrity),
                              ok ? core::Reason::kNone : core::Reason::kWrongSubject});
    }
  }

  fs::path asked_;
  fs::path directory_;
  const VerifyOptions& options_;
  VerifyReport report_;
  core::Digest manifest_digest_;
  std::set<std::string> foreign_;  ///< files whose digest is wrong
  std::map<fs::path, Stamp> stamps_;
};

bool VerifyReport::ok() const {
  return manifest.has_value() &&
         std::all_of(rows.begin(), rows.end(), [](const CheckRow& row) { return row.ok; });
}

VerifyReport verify_release(const fs::path& directory, const VerifyOptions& options) {
  std::error_code error;
  const fs::path resolved = fs::canonical(directory, error);
  if (error || !fs::is_directory(resolved, error)) {
    return Verifier(directory, directory, options)
        .fail(core::escaped(directory.native()), "directory", Error(Kind::kStore, "not a directory"));
  }
  return Verifier(directory, resolved, options).release();
}

Manifest trusted_manifest(const fs::path& directory, const SignatureCheck& signature) {
  VerifyOptions options;
  options.signature = signature;
  options.contents = Contents::kLeave;
  const VerifyReport report = verify_release(directory, options);
  if (report.manifest) return report.manifest->manifest();
  if (report.unsigned_manifest) return *report.unsigned_manifest;
  for (const CheckRow& row : report.rows) {
    if (row.ok) continue;
    throw Error(row.kind.value_or(Kind::kIntegrity), (directory / row.subject).native() + ": " + row.detail)
        .hint("imgforge verify " + directory.native() +
              " says more; --public-key names a further key to trust");
  }
  throw Error(Kind::kInternal, directory.native() + " has a manifest that nobody judged");
}

VerifyReport verify_file(const fs::path& path, const VerifyOptions& options,
                         const std::optional<fs::path>& manifest) {
  std::error_code error;
  const fs::path resolved = fs::canonical(path, error);
  if (error) {
    return Verifier(path, {}, options)
        .fail(core::escaped(path.native()), "file", Error(Kind::kIntegrity, error.message()));
  }
  fs::path manifest_path = manifest.value_or(resolved.parent_path() / kManifestFile);
  if (!manifest && !fs::exists(fs::symlink_status(manifest_path, error))) {
    const fs::path beside = fs::absolute(path).parent_path() / kManifestFile;
    if (!fs::exists(fs::symlink_status(beside, error)))
      return Verifier(path, resolved.parent_path(), options)
          .fail(core::escaped(path.native()), "signature",
                Error(Kind::kSignature, "there is neither a manifest beside it nor a signature of its own")
                    .reason(Reason::kUnsigned));
    manifest_path = beside;
  }
  return Verifier(path, resolved.parent_path(), options)
      .file(resolved, resolved.filename().native(), manifest_path);
}

}  // namespace imgforge::artifacts
