#include "builder/pull/pull.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "artifacts/check/release_files.hpp"
#include "artifacts/check/signatures.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/yanks.hpp"
#include "builder/fetch/download/downloader.hpp"
#include "builder/pull/http_source.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::pull {
namespace {

using artifacts::Manifest;
using core::Error;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

/// A list of checksums is never longer.
constexpr std::size_t kMaxSums = 1 << 20;
constexpr std::size_t kMaxSignature = 16 << 10;
/// Nor is what is signed beside a manifest.
constexpr std::size_t kMaxCompanion = 16 << 20;

class Pulling {
 public:
  Pulling(const artifacts::Store& store, const std::string& url, const catalogue::Target& target,
          const std::vector<std::string>& companions, const fetch::Context& context,
          const artifacts::ChangeOptions& options)
      : store_(store),
        target_(target),
        companions_(companions),
        context_(context),
        options_(options),
        base_(fmt::format("{}/releases/{}/{}/", url, target.line, target.version)) {}

  PullResult run() {
    const std::string text = bring_text(artifacts::kManifestFile, target_.length);
    if (text.size() != target_.length)
      throw refuse(artifacts::kManifestFile, "has another size than the catalogue says",
                   Reason::kSizeMismatch);
    if (core::digest_of(core::HashAlgorithm::kSha256, text) != target_.sha256 ||
        core::digest_of(core::HashAlgorithm::kSha512, text) != target_.sha512)
      throw refuse(artifacts::kManifestFile, "has other bytes than the catalogue says",
                   Reason::kDigestMismatch);
    const Manifest manifest = artifacts::parse_manifest(text);
    if (manifest.line() != target_.line || manifest.version != target_.version)
      throw refuse(artifacts::kManifestFile, "is that of " + manifest.stem(), Reason::kWrongSubject);
    PullResult result{target_.line, target_.version, store_.line_directory(target_.line) / target_.version,
                      "",           false,           {}};
    const core::TempDir staging(store_.root() / ".staging", "pull");
    const fs::path fresh = staging / "release";
    if (::mkdir(fresh.c_str(), 0755) != 0) throw core::system_error(errno, "cannot create", fresh.native());
    place_text(fresh, artifacts::kManifestFile, text);
    const std::string sums = artifacts::kSumsFile;
    const std::string suffix = artifacts::kSignatureSuffix;
    place_text(fresh, sums, bring_text(sums, kMaxSums));
    for (const std::string& name : {artifacts::kManifestFile + suffix, sums + suffix})
      place_text(fresh, name, bring_text(name, kMaxSignature));
    for (const std::string& name : companions_) {
      if (const auto companion = bring_optional(name, kMaxCompanion)) place_text(fresh, name, *companion);
    }
    // Before the big files: nothing is downloaded for a manifest that nobody trusted signed.
    result.signer = options_.signature(text, artifacts::read_signatures(fresh / artifacts::kManifestFile));
    bring_files(fresh, manifest);
    check(fresh);
    place(fresh, manifest, result);
    return result;
  }

 private:
  Error refuse(const std::string& file, const std::string& why, Reason reason) const {
    return Error(Kind::kIntegrity, core::escaped(base_ + file, 200) + " " + why)
        .hint("do not use it; ask its publisher")
        .reason(reason);
  }

  std::optional<std::string> bring_optional(const std::string& name, std::uint64_t limit) const {
    fetch::Request request;
    request.url = base_ + name;
    request.limit = limit;
    return fetch_small(context_.http, request);
  }

  std::string bring_text(const std::string& name, std::uint64_t limit) const {
    if (auto text = bring_optional(name, limit)) return *std::move(text);
    throw refuse(name, "is not there", Reason::kMissing);
  }

  static void place_text(const fs::path& fresh, const std::string& name, const std::string& text) {
    core::write_new_file(fresh / name, text);
    artifacts::seal_file(fresh / name);
  }

  void bring_files(const fs::path& fresh, const Manifest& manifest) const {
    std::vector<fetch::Download> downloads;
    std::vector<std::string> names;
    const auto add = [&](const auto& row) {
      fetch::Download download{row.file, {base_ + row.file}};
      download.promises = {{row.sha256, "the manifest"}, {row.sha512, "the manifest"}};
      download.size = row.size;
      download.limit = row.size;
      downloads.push_back(std::move(download));
      names.push_back(row.file);
    };
    for (const auto& row : manifest.artifacts) add(row);
    for (const auto& row : manifest.documents) add(row);
    fetch::Downloader downloader(context_);
    const auto files = downloader.fetch_all(downloads);
    for (std::size_t i = 0; i < files.size(); ++i) artifacts::copy_sealed(files[i].path(), fresh / names[i]);
    for (const auto& row : manifest.artifacts) {
      const std::string plain = artifacts::plain_name(manifest, row);
      if (::symlink(row.file.c_str(), (fresh / plain).c_str()) != 0)
        throw core::system_error(errno, "cannot link", (fresh / plain).native());
    }
    core::sync_directory(fresh);
  }

  /// The bytes that will have the name, by the same checks as `verify`.
  void check(const fs::path& fresh) const {
    artifacts::VerifyOptions options;
    options.signature = options_.signature;
    options.extras = artifacts::Extras::kRefuse;
    for (const artifacts::CheckRow& row : artifacts::verify_release(fresh, options).rows) {
      // The folder has its name later.
      if (row.ok || row.check == "name") continue;
      throw Error(row.kind.value_or(Kind::kIntegrity), row.subject + " (" + row.check + "): " + row.detail)
          .reason(row.reason);
    }
  }

  void place(const fs::path& fresh, const Manifest& manifest, PullResult& result) const {
    const artifacts::StoreLock lock(store_.root(), options_.lock_timeout, options_.cancel);
    core::TempDir::reclaim(store_.root() / ".staging");
    artifacts::refuse_yanked(store_.root(), result.line + "@" + result.version);
    if (fs::symlink_status(result.directory).type() != fs::file_type::not_found) {
      artifacts::compare_small(fresh, result.directory, {artifacts::kManifestFile});
      artifacts::require_intact(result.directory, manifest);
      result.existed = true;
      return;
    }
    for (const artifacts::FlatLink& link : artifacts::version_links(store_, manifest))
      artifacts::check_flat_link(link);
    artifacts::make_folder(store_.releases());
    artifacts::make_folder(store_.line_directory(result.line));
    artifacts::move_into_place(fresh, result.directory);
    artifacts::name_version(store_, manifest);
    artifacts::JournalEntry entry;
    entry.command = "pull";
    entry.line = result.line;
    entry.version = result.version;
    entry.outcome = "done";
    std::string warning = artifacts::append_journal(store_.root(), std::move(entry));
    if (!warning.empty()) result.warnings.push_back(std::move(warning));
  }

  const artifacts::Store& store_;
  const catalogue::Target& target_;
  const std::vector<std::string>& companions_;
  const fetch::Context& context_;
  const artifacts::ChangeOptions& options_;
  std::string base_;
};

}  // namespace

const catalogue::Target& choose_target(const catalogue::Catalogue& catalogue, const std::string& reference) {
  const std::size_t at = reference.find('@');
  const std::string line = reference.substr(0, at);
  const catalogue::Target* chosen = nullptr;
  std::string there;
  bool several = false;
  for (const auto& [path, target] : catalogue.targets) {
    there += (there.empty() ? "" : ", ") + target.line + "@" + target.version;
    if (at == std::string::npos ? target.state != "current" : target.version != reference.substr(at + 1))
      continue;
    if (!line.empty() && target.line != line) continue;
    several = several || chosen != nullptr;
    chosen = &target;
  }
  if (chosen == nullptr || several)
    throw Error(Kind::kUsage, reference.empty() ? "name one of the catalogue's releases"
                                                : "the catalogue has no " + core::escaped(reference, 120))
        .hint(there.empty() ? "it is empty" : core::escaped(there, 1000));
  if (!chosen->yanked.empty())
    throw Error(Kind::kIntegrity, chosen->line + "@" + chosen->version +
                                      " was withdrawn: " + core::escaped(chosen->yanked, 300))
        .hint("take another release: " + core::escaped(there, 1000))
        .reason(Reason::kYanked);
  return *chosen;
}

PullResult pull(const artifacts::Store& store, const std::string& url, const catalogue::Target& target,
                const std::vector<std::string>& companions, const fetch::Context& context,
                const artifacts::ChangeOptions& options) {
  return core::while_doing("pulling " + target.line + "@" + target.version,
                           [&] { return Pulling(store, url, target, companions, context, options).run(); });
}

}  // namespace imgforge::pull
