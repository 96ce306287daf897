#include "builder/policy/policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>

#include "artifacts/retention/retention.hpp"
#include "builder/recipe/document.hpp"
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

Error wrong(const Node& node, std::string message) {
  return std::move(Error(Kind::kUsage, std::move(message)).at(node.mark()));
}

std::string word(const Node& node) {
  if (node.kind() != NodeKind::kScalar || node.is_missing() || node.text().empty())
    throw wrong(node, "a word is expected here");
  return node.text();
}

bool yes_or_no(const Node& node) {
  const std::string text = word(node);
  if (text != "true" && text != "false") throw wrong(node, "true or false is expected here");
  return text == "true";
}

unsigned number(const Node& node) {
  const std::string text = word(node);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > 100)
    throw wrong(node, "a number from 1 to 100 is expected here");
  return value;
}

std::vector<std::string> words(const Node& node, bool may_be_empty = false) {
  if (node.kind() != NodeKind::kSequence) throw wrong(node, "a list is expected here");
  if (node.items().empty() && !may_be_empty) throw wrong(node, "an empty list would ask for nothing");
  std::vector<std::string> out;
  for (const Node& item : node.items()) out.push_back(word(item));
  return out;
}

/// Reads something that has its own words for what is wrong.
template <class Read>
auto at_place(const Node& node, Read&& read) {
  try {
    return read(word(node));
  } catch (Error& error) {
    error.at(node.mark());
    throw;
  }
}

using Field = std::function<void(Policy&, const Node&)>;

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
  throw wrong(node, "this is a policy of another kind than 1, which is the one this program knows");
}

const std::map<std::string, Field, std::less<>>& fields() {
  static const std::map<std::string, Field, std::less<>> table{
      {"policy", &read_version},
      {"signers", [](Policy& p, const Node& n) { p.signers = words(n); }},
      {"signatures", [](Policy& p, const Node& n) { p.signatures = number(n); }},
      {"booted", &read_booted},
      {"sbom", [](Policy& p, const Node& n) { p.sbom = yes_or_no(n); }},
      {"provenance", [](Policy& p, const Node& n) { p.provenance = yes_or_no(n); }},
      {"rebuilt-by", [](Policy& p, const Node& n) { p.rebuilt_by = number(n); }},
      {"fresh", [](Policy& p, const Node& n) { p.fresh = yes_or_no(n); }},
      {"insecure", [](Policy& p, const Node& n) { p.insecure = words(n, true); }},
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
  const Node& root = document.root();
  if (root.find("policy") == nullptr)
    throw wrong(root, "this is no policy: it does not begin with `policy: 1`");
  for (const recipe::Entry& entry : root.entries()) {
    const auto field = fields().find(entry.key.text());
    if (field != fields().end()) {
      field->second(policy, entry.value);
      continue;
    }
    std::vector<std::string> names;
    for (const auto& [name, read] : fields()) names.push_back(name);
    Error error = wrong(entry.key, "unknown field \"" + core::escaped(entry.key.text(), 60) + "\"");
    const std::string near = core::nearest_word(entry.key.text(), names);
    if (!near.empty()) error.hint("did you mean \"" + near + "\"?");
    throw std::move(error);
  }
  return policy;
}

/// A document's mistakes are those of a recipe; here they are a wrong argument.
template <class Read>
Policy as_usage(Read&& read) {
  try {
    return read_policy(read());
  } catch (const Error& error) {
    if (error.kind() != Kind::kRecipe) throw;
    Error usage(Kind::kUsage, error.message());
    if (error.mark()) usage.at(*error.mark());
    usage.hint(error.hint());
    throw std::move(usage);
  }
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
  return as_usage([&] { return recipe::Document::parse(text, name); });
}

Policy load_policy(const std::filesystem::path& file) {
  return as_usage([&] { return recipe::Document::load(file); });
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
