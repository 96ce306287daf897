#include "builder/cli/trust/verify/verify_subjects.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/check/signed_list.hpp"
#include "artifacts/manifest/companions.hpp"
#include "artifacts/store/release_reference.hpp"
#include "artifacts/store/store.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/export/target.hpp"
#include "builder/lock/lock.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::CheckRow;
using core::Error;
using core::Kind;
using core::Reason;

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

/// Rows of something that has no manifest of its own.
Finding of_rows(std::string name, std::vector<CheckRow> rows) {
  const bool ok = std::all_of(rows.begin(), rows.end(), [](const CheckRow& row) { return row.ok; });
  artifacts::VerifyReport report;
  report.rows = std::move(rows);
  return {std::move(name), std::move(report), {}, false, ok};
}

std::vector<Finding> store(Context& context, const fs::path& path, const artifacts::VerifyOptions& options,
                           const signing::TrustStore& trust) {
  const artifacts::Store store = artifacts::Store::open(path);
  std::vector<Finding> found;
  for (const std::string& line : store.lines())
    found.push_back(verify_with_statements(context, store.line_directory(line) / "current", options, trust));
  if (found.empty()) throw Error(Kind::kStore, path.native() + " has no releases");
  return found;
}

/// What a lock calls a file with these bytes.
std::string name_in(const lock::Lock& lock, const core::Digest& sha256) {
  for (const lock::LockedBase& base : lock.bases) {
    if (base.sha256 == sha256) return fmt::format("the base alpine-{} {}", base.flavor, base.version);
  }
  for (const lock::LockedPackage& package : lock.packages) {
    if (package.sha256 == sha256) return "the package " + package.full_name();
  }
  for (const lock::LockedModel& model : lock.models) {
    for (const models::ModelFile& file : model.model.files) {
      if (file.sha256 == sha256) return fmt::format("{} of the model {}", file.path, model.model.name);
    }
  }
  return "";
}

Finding locked_file(const fs::path& file, const fs::path& lock_file) {
  const lock::Lock lock = lock::parse_lock(core::read_text_file(lock_file, 64 << 20), lock_file.native());
  CheckRow row{file.filename().native(), "digest", false, {}, {}, {}};
  try {
    const core::Digest found = core::digest_of_file(core::HashAlgorithm::kSha256, file);
    const std::string name = name_in(lock, found);
    if (name.empty())
      throw Error(Kind::kIntegrity,
                  fmt::format("{} names no file with sha256 {}", lock_file.native(), found.hex()))
          .reason(Reason::kDigestMismatch);
    row.ok = true;
    row.detail = fmt::format("is {} of {}", core::escaped(name, 200), lock_file.native());
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    row.fail(error);
  }
  return of_rows(file.native(), {std::move(row)});
}

Finding one_file(Context& context, const fs::path& path, const artifacts::VerifyOptions& options,
                 const signing::TrustStore& trust) {
  const fs::path folder = fs::absolute(path).parent_path();
  const std::string name = path.filename();
  const bool is_head =
      name == artifacts::kManifestFile || name == artifacts::kSumsFile || artifacts::is_companion(name);
  if (is_head && is_there(folder / artifacts::kManifestFile)) {
    // The manifest itself, and whether it is in its place; the files that it lists are another question.
    artifacts::VerifyOptions head = options;
    head.contents = artifacts::Contents::kLeave;
    head.format = nullptr;
    Finding finding = verify_with_statements(context, folder, head, trust);
    finding.name = path.native();
    return finding;
  }
  if (is_there(path.native() + artifacts::kSignatureSuffix))
    return of_rows(path.native(), artifacts::verify_detached(path, options));
  Finding finding{path.native(), artifacts::verify_file(path, options), {}, false, false};
  finding.ok = finding.report.ok();
  return finding;
}

}  // namespace

void ask_policy(const policy::Policy& policy, const signing::TrustStore& trust, Finding& finding,
                core::UnixTime now) {
  const auto name_of = [&](const signing::PublicKey& key) {
    const signing::TrustedKey* known = trust.find(key);
    return known == nullptr ? key.id() : known->name;
  };
  std::vector<CheckRow>& rows = finding.report.rows;
  if (!finding.report.manifest) {
    CheckRow row{finding.name, "policy", false, {}, {}, {}};
    row.fail(core::Error(core::Kind::kIntegrity, "there is no manifest of a trusted key that could answer it")
                 .reason(core::Reason::kPolicy));
    rows.push_back(std::move(row));
  } else {
    policy::Evidence evidence;
    for (const signing::PublicKey& key : finding.statements.signers)
      evidence.signers.push_back({name_of(key), key.line()});
    evidence.has_provenance = finding.statements.has_provenance;
    evidence.is_fresh = finding.is_fresh;
    evidence.rebuilt_by = finding.statements.rebuilt_by;
    for (CheckRow& row : judge(policy, finding.report.manifest->manifest(), evidence, now))
      rows.push_back(std::move(row));
  }
  finding.ok = finding.ok && finding.report.ok();
}

Finding verify_with_statements(Context& context, const fs::path& directory,
                               const artifacts::VerifyOptions& options, const signing::TrustStore& trust) {
  Finding finding{directory.native(), artifacts::verify_release(directory, options), {}, false, false};
  if (finding.report.manifest) {
    finding.statements = check_statements(context, fs::canonical(directory), *finding.report.manifest, trust);
    for (const CheckRow& row : finding.statements.rows) finding.report.rows.push_back(row);
  }
  finding.ok = finding.report.ok();
  return finding;
}

std::vector<Finding> verify_subject(Context& context, const std::string& subject,
                                    const artifacts::VerifyOptions& options, const signing::TrustStore& trust,
                                    const fs::path& lock) {
  if (subject.find("://") != std::string::npos) {
    if (!lock.empty())
      throw Error(Kind::kUsage, "--lock is for files, and " + core::escaped(subject, 200) + " is none");
    const bool is_image = subject.starts_with("oci://") || subject.starts_with("docker://");
    return {is_image ? verify_oci(context, subject, options) : verify_url(context, subject, options, trust)};
  }
  fs::path path = subject;
  if (!is_there(path) && subject.find('/') == std::string::npos &&
      fs::is_directory(context.options.output_dir / "releases"))
    path = artifacts::find_release(open_store(context), subject).directory;
  if (!lock.empty()) return {locked_file(path, lock)};
  if (!fs::is_directory(path)) return {one_file(context, path, options, trust)};
  const bool has_manifest = is_there(path / artifacts::kManifestFile);
  if (!has_manifest && is_there(path / artifacts::kSumsFile))
    return {of_rows(path.native(), artifacts::verify_list(path, options, exports::kMarkerFile))};
  if (!has_manifest && fs::is_directory(path / "releases")) return store(context, path, options, trust);
  return {verify_with_statements(context, path, options, trust)};
}

}  // namespace imgforge::cli
