#include "builder/policy/policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/retention/retention.hpp"
#include "builder/recipe/document/plain_values.hpp"
#include "builder/vm/boot_path.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::policy {
namespace {

using core::Error;
using core::Kind;
using recipe::Node;
using recipe::NodeKind;

void read_booted(Policy& policy, const Node& node) {
  if (node.kind() == NodeKind::kScalar) {
    policy.booted = yes_or_no(node);
    return;
  }
  words(node);
  for (const Node& item : node.items())
    policy.boot_paths.push_back(
        at_place(item, [](const std::string& text) { return boot_path_name(vm::parse_boot_path(text)); }));
}

void read_version(Policy&, const Node& node) {
  if (word(node) == "1") return;
  throw recipe::usage_error(node,
                            "this is a policy of another kind than 1, which is the one this program knows");
}

const recipe::Fields<Policy>& fields() {
  static const recipe::Fields<Policy> table{
      {"policy", &read_version},
      {"signers", [](Policy& p, const Node& n) { p.signers = words(n); }},
      {"signatures", [](Policy& p, const Node& n) { p.signatures = recipe::number(n, 1, 100); }},
      {"booted", &read_booted},
      {"sbom", [](Policy& p, const Node& n) { p.sbom = yes_or_no(n); }},
      {"provenance", [](Policy& p, const Node& n) { p.provenance = yes_or_no(n); }},
      {"rebuilt-by", [](Policy& p, const Node& n) { p.rebuilt_by = recipe::number(n, 1, 100); }},
      {"fresh", [](Policy& p, const Node& n) { p.fresh = yes_or_no(n); }},
      {"insecure", [](Policy& p, const Node& n) { p.insecure = words(n, recipe::Empty::kAllowed); }},
      {"drafts", [](Policy& p, const Node& n) { p.drafts = yes_or_no(n); }},
      {"isolation", [](Policy& p, const Node& n) { p.isolation = words(n); }},
      {"max-age", [](Policy& p, const Node& n) { p.max_age = at_place(n, &artifacts::parse_age); }},
      {"forbidden-packages", [](Policy& p, const Node& n) { p.forbidden_packages = words(n); }},
      {"formats", [](Policy& p, const Node& n) { p.formats = words(n); }},
  };
  return table;
}

Policy read_policy(const recipe::Document& document) {
  Policy policy;
  if (document.root().find("policy") == nullptr)
    throw recipe::usage_error(document.root(), "this is no policy: it does not begin with `policy: 1`");
  read_fields(policy, document.root(), fields());
  return policy;
}

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// Collects the rows of one release.
class Judge {
 public:
  Judge(const Policy& policy, const artifacts::Manifest& manifest, const Evidence& evidence,
        core::UnixTime now)
      : policy_(policy), manifest_(manifest), evidence_(evidence), now_(now) {}

  std::vector<artifacts::CheckRow> rows() && {
    check_signers();
    if (policy_.booted) check_no(vm::unproven_boots(manifest_), "booted", "not seen to boot: ", "every path");
    if (!policy_.boot_paths.empty()) check_no(missing_boots(), "booted", "not seen to boot by ", "as asked");
    if (policy_.sbom) check_documents("sbom", {"sbom.spdx.json", "sbom.cdx.json"});
    if (policy_.provenance)
      row("provenance", evidence_.has_provenance,
          evidence_.has_provenance ? "checked" : "there is none that was checked");
    if (policy_.rebuilt_by > 0)
      row("rebuilt-by", evidence_.rebuilt_by >= policy_.rebuilt_by,
          fmt::format("rebuilt by {} of {}", evidence_.rebuilt_by, policy_.rebuilt_by));
    if (policy_.fresh)
      row("fresh", evidence_.is_fresh,
          evidence_.is_fresh ? "listed by the catalogue" : "no valid catalogue lists it");
    if (policy_.insecure) check_no(unwanted_flags(), "insecure", "made with ", "no check was switched off");
    if (manifest_.is_draft) row("drafts", policy_.drafts, "a draft");
    if (!policy_.isolation.empty())
      row("isolation", contains(policy_.isolation, manifest_.isolation),
          "made in " +
              (manifest_.isolation.empty() ? "an unknown place" : core::escaped(manifest_.isolation)));
    if (policy_.max_age) check_age();
    if (!policy_.forbidden_packages.empty())
      check_no(forbidden_packages(), "forbidden-packages", "has ", "none is installed");
    if (!policy_.formats.empty()) check_no(missing_formats(), "formats", "lacks ", "all are there");
    return std::move(rows_);
  }

 private:
  void row(const std::string& field, bool ok, std::string detail) {
    artifacts::CheckRow row{field, "policy", ok, std::move(detail), {}, core::Reason::kNone};
    if (!ok) {
      row.kind = Kind::kIntegrity;
      row.reason = core::Reason::kPolicy;
    }
    rows_.push_back(std::move(row));
  }

  void check_no(const std::vector<std::string>& found, const std::string& field, const std::string& bad,
                const std::string& good) {
    row(field, found.empty(), found.empty() ? good : bad + core::escaped(core::join(found, ", "), 300));
  }

  void check_signers() {
    std::vector<std::string> names;
    for (const Evidence::Signer& signer : evidence_.signers) {
      const bool wanted = policy_.signers.empty() || contains(policy_.signers, signer.name) ||
                          contains(policy_.signers, signer.key);
      if (wanted) names.push_back(signer.name);
    }
    const bool enough = names.size() >= policy_.signatures;
    row("signers", enough,
        enough ? "signed by " + core::escaped(core::join(names, ", "), 300)
               : fmt::format("{} of {} signatures{}", names.size(), policy_.signatures,
                             policy_.signers.empty() ? "" : " by those named"));
  }

  void check_documents(const std::string& field, const std::vector<std::string>& wanted) {
    std::vector<std::string> missing;
    for (const std::string& file : wanted) {
      if (std::none_of(manifest_.documents.begin(), manifest_.documents.end(),
                       [&](const auto& document) { return document.file == file; }))
        missing.push_back(file);
    }
    check_no(missing, field, "lacks ", "there");
  }

  void check_age() {
    const std::optional<core::UnixTime> made = artifacts::parse_iso_time(manifest_.created);
    if (!made) return row("max-age", false, "the manifest does not tell when it was made");
    const auto days = [](auto seconds) {
      return std::chrono::duration_cast<std::chrono::hours>(seconds).count() / 24;
    };
    row("max-age", *made <= now_ && now_ - *made <= *policy_.max_age,
        *made > now_ ? "made in the future, " + manifest_.created
                     : fmt::format("made {}, {} days ago", manifest_.created, days(now_ - *made)));
  }

  std::vector<std::string> missing_boots() const {
    std::vector<std::string> missing;
    for (const std::string& path : policy_.boot_paths) {
      if (std::none_of(manifest_.boots.begin(), manifest_.boots.end(),
                       [&](const artifacts::ManifestBoot& boot) { return boot.path == path; }))
        missing.push_back(path);
    }
    return missing;
  }

  std::vector<std::string> unwanted_flags() const {
    std::vector<std::string> flags;
    for (const std::string& flag : manifest_.insecure) {
      if (!contains(*policy_.insecure, flag)) flags.push_back(flag);
    }
    return flags;
  }

  std::vector<std::string> forbidden_packages() const {
    std::vector<std::string> found;
    for (const artifacts::ManifestPackage& package : manifest_.packages) {
      if (contains(policy_.forbidden_packages, package.name)) found.push_back(package.name);
    }
    return found;
  }

  std::vector<std::string> missing_formats() const {
    std::vector<std::string> missing;
    for (const std::string& format : policy_.formats) {
      if (std::none_of(
              manifest_.artifacts.begin(), manifest_.artifacts.end(),
              [&](const artifacts::ManifestArtifact& artifact) { return artifact.format == format; }))
        missing.push_back(format);
    }
    return missing;
  }

  const Policy& policy_;
  const artifacts::Manifest& manifest_;
  const Evidence& evidence_;
  core::UnixTime now_;
  std::vector<artifacts::CheckRow> rows_;
};

}  // namespace

Policy parse_policy(std::string_view text, const std::string& name) {
  return recipe::as_usage([&] { return read_policy(recipe::Document::parse(text, name)); });
}

Policy load_policy(const std::filesystem::path& file) {
  return recipe::as_usage([&] { return read_policy(recipe::Document::load(file)); });
}

std::string text_of(const std::vector<std::string>& requirements) {
  std::string text = "policy: 1\n";
  for (const std::string& requirement : requirements) {
    const std::size_t equals = requirement.find('=');
    if (requirement.find('\n') != std::string::npos) throw Error(Kind::kUsage, "a requirement is one line");
    text += equals == std::string::npos
                ? requirement + ": true\n"
                : requirement.substr(0, equals) + ": " + requirement.substr(equals + 1) + "\n";
  }
  return text;
}

std::vector<artifacts::CheckRow> judge(const Policy& policy, const artifacts::Manifest& manifest,
                                       const Evidence& evidence, core::UnixTime now) {
  return Judge(policy, manifest, evidence, now).rows();
}

}  // namespace imgforge::policy
