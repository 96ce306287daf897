#include "artifacts/catalogue/publisher.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/pins.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::catalogue {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kSpecification = "1.0.31";

Json signed_part(const char* type, std::uint64_t version, const std::string& expires) {
  return {{"_type", type}, {"expires", expires}, {"spec_version", kSpecification}, {"version", version}};
}

/// The file: canonical JSON as a whole.
std::string sign_document(const Json& body, const std::vector<RoleSigner>& signers) {
  const std::string bytes = canonical_json(body);
  Json signatures = Json::array();
  std::set<signing::Ed25519Public> done;
  for (const RoleSigner& signer : signers) {
    if (!done.insert(signer.key).second) continue;
    const auto signature =
        signer.sign(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
    signatures.push_back({{"keyid", key_id(signer.key)}, {"sig", core::to_hex(signature)}});
  }
  return canonical_json({{"signatures", signatures}, {"signed", body}}) + "\n";
}

Json role_json(const std::vector<signing::Ed25519Public>& keys, std::uint64_t threshold) {
  Json ids = Json::array();
  for (const auto& key : keys) ids.push_back(key_id(key));
  return {{"keyids", ids}, {"threshold", threshold}};
}

std::vector<signing::Ed25519Public> keys_of(const Role& role) {
  std::vector<signing::Ed25519Public> keys;
  for (const auto& [id, key] : role.keys) keys.push_back(key);
  return keys;
}

Json root_body(std::uint64_t version, const RootPlan& plan) {
  Json keys = Json::object();
  for (const auto& key : plan.keys) keys[key_id(key)] = key_object(key);
  keys[key_id(*plan.online)] = key_object(*plan.online);
  Json body = signed_part("root", version, core::iso_time(plan.expires));
  body["consistent_snapshot"] = false;
  body["keys"] = keys;
  const Json online = role_json({*plan.online}, 1);
  body["roles"] = {{"root", role_json(plan.keys, plan.threshold)},
                   {"snapshot", online},
                   {"targets", online},
                   {"timestamp", online}};
  return body;
}

fs::path folder_of(const artifacts::Store& store) {
  return store.root() / kFolder;
}

bool has_root(const artifacts::Store& store) {
  return fs::symlink_status(folder_of(store) / "root.json").type() != fs::file_type::not_found;
}

Root read_root(const artifacts::Store& store) {
  if (!has_root(store))
    throw Error(Kind::kUsage, store.root().native() + " has no catalogue").hint("imgforge trust init");
  Root root = Root::parse(core::read_text_file(folder_of(store) / "root.json", kMaxRoot));
  root.role("root").require(root.document);
  return root;
}

/// Nothing is written that clients would refuse.
Root place_root(const artifacts::Store& store, std::string_view text, const Root* before) {
  Root root = Root::parse(text);
  const std::uint64_t version = before == nullptr ? 1 : before->document.version + 1;
  if (root.document.version != version)
    throw Error(Kind::kIntegrity,
                fmt::format("this is root {}, and the next one here is {}", root.document.version, version))
        .reason(core::Reason::kWrongSubject)
        .hint("another root came between: make and sign a new draft");
  if (before != nullptr) before->role("root").require(root.document);
  root.role("root").require(root.document);
  const fs::path folder = folder_of(store);
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST)
    throw core::system_error(errno, "cannot create", folder.native());
  core::write_file_atomically(folder / fmt::format("{}.root.json", version), text);
  core::write_file_atomically(folder / "root.json", text);
  return root;
}

/// What the next root of the store says; what the plan leaves out stays as it is.
Json next_root(RootPlan plan, const Root* before) {
  if (before == nullptr) return root_body(1, plan);
  if (plan.keys.empty()) plan.keys = keys_of(before->role("root"));
  if (plan.threshold == 0) plan.threshold = before->role("root").threshold;
  if (!plan.online) plan.online = keys_of(before->role("timestamp")).front();
  return root_body(before->document.version + 1, plan);
}

/// The number of the catalogue that is there; 0: none.
std::uint64_t present_number(const fs::path& folder) {
  std::uint64_t number = 0;
  for (const auto& [type, limit] :
       {std::pair{"targets", kMaxTargets}, {"snapshot", kMaxSnapshot}, {"timestamp", kMaxTimestamp}}) {
    const fs::path file = folder / (std::string(type) + ".json");
    if (fs::symlink_status(file).type() == fs::file_type::not_found) continue;
    number = std::max(number, parse_document(core::read_text_file(file, limit), type, limit).version);
  }
  return number;
}

Json target_json(const artifacts::Manifest& manifest, const core::FileDigests& file, std::string_view state,
                 const std::string& yanked) {
  Json files = Json::array();
  for (const auto& artifact : manifest.artifacts)
    files.push_back({{"file", artifact.file}, {"sha256", artifact.sha256.hex()}, {"size", artifact.size}});
  Json custom{{"artifacts", files},
              {"created", manifest.created},
              {"line", manifest.line()},
              {"state", state},
              {"version", manifest.version}};
  if (!yanked.empty()) custom["yanked"] = yanked;
  return {{"custom", custom},
          {"hashes", {{"sha256", file.sha256.hex()}, {"sha512", file.sha512.hex()}}},
          {"length", file.size}};
}

Json list_releases(const artifacts::Store& store, const UpdateRequest& request, UpdateResult& result) {
  const auto yanked = artifacts::read_pins(store.root(), artifacts::kYankedFolder);
  Json targets = Json::object();
  const artifacts::Inventory inventory = artifacts::read_inventory(store);
  for (const artifacts::InventoryRelease* release : inventory.releases()) {
    request.cancel.check();
    const auto leave_out = [&](const std::string& why) {
      result.left_out.push_back(release->reference() + ": " + why);
    };
    if (release->state == artifacts::ReleaseState::kArchived) {
      leave_out("archived");
      continue;
    }
    try {
      const artifacts::Manifest manifest = artifacts::trusted_manifest(release->directory, request.signature);
      if (manifest.is_unsigned || manifest.is_draft || manifest.line() != release->line ||
          manifest.version != release->version) {
        leave_out(manifest.is_unsigned ? "unsigned" : manifest.is_draft ? "a draft" : "under another name");
        continue;
      }
      std::string reason;
      if (const auto found = yanked.find(release->reference()); found != yanked.end()) {
        reason = found->second.problem.empty() ? found->second.reason : found->second.problem;
        ++result.yanked;
      }
      const core::FileDigests file = core::file_digests(release->directory / artifacts::kManifestFile);
      targets[fmt::format("releases/{}/{}/{}", release->line, release->version, artifacts::kManifestFile)] =
          target_json(manifest, file, artifacts::state_name(release->state), reason);
      ++result.releases;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      leave_out(error.message());
    }
  }
  return targets;
}

Json meta_of(const std::string& text, std::uint64_t version) {
  return {{"hashes", {{"sha256", core::digest_of(core::HashAlgorithm::kSha256, text).hex()}}},
          {"length", text.size()},
          {"version", version}};
}

}  // namespace

RoleSigner role_signer(std::shared_ptr<const signing::RawSigner> key) {
  const signing::Ed25519Public point = key->public_key().point();
  return {point,
          [key = std::move(key)](std::span<const std::uint8_t> bytes) { return key->sign_raw(bytes); }};
}

Root init_root(const artifacts::Store& store, const RootPlan& plan, const std::vector<RoleSigner>& signers) {
  const artifacts::StoreLock lock(store.root(), std::chrono::seconds(60), {});
  if (has_root(store))
    throw Error(Kind::kUsage, store.root().native() + " has a root of trust already")
        .hint("imgforge trust rotate");
  return place_root(store, sign_document(next_root(plan, nullptr), signers), nullptr);
}

Root rotate_root(const artifacts::Store& store, const RootPlan& plan,
                 const std::vector<RoleSigner>& signers) {
  const artifacts::StoreLock lock(store.root(), std::chrono::seconds(60), {});
  const Root before = read_root(store);
  return place_root(store, sign_document(next_root(plan, &before), signers), &before);
}

std::string draft_root(const artifacts::Store& store, const RootPlan& plan) {
  if (!has_root(store)) return sign_document(next_root(plan, nullptr), {});
  const Root before = read_root(store);
  return sign_document(next_root(plan, &before), {});
}

Root read_draft(std::string_view text) {
  return Root::parse(text);
}

std::string sign_root(std::string_view text, const RoleSigner& signer) {
  const Document draft = Root::parse(text).document;
  const std::string id = key_id(signer.key);
  Json signatures = Json::array();
  for (const RoleSignature& row : draft.signatures) {
    if (row.key_id == id) throw Error(Kind::kUsage, "this key has signed the root already");
    signatures.push_back({{"keyid", row.key_id}, {"sig", core::to_hex(row.bytes)}});
  }
  const auto made = signer.sign(
      std::span(reinterpret_cast<const std::uint8_t*>(draft.signed_bytes.data()), draft.signed_bytes.size()));
  signatures.push_back({{"keyid", id}, {"sig", core::to_hex(made)}});
  return canonical_json({{"signatures", signatures}, {"signed", draft.body}}) + "\n";
}

Root publish_root(const artifacts::Store& store, std::string_view text) {
  const artifacts::StoreLock lock(store.root(), std::chrono::seconds(60), {});
  if (!has_root(store)) return place_root(store, text, nullptr);
  const Root before = read_root(store);
  return place_root(store, text, &before);
}

UpdateResult update(const artifacts::Store& store, const UpdateRequest& request) {
  const artifacts::StoreLock lock(store.root(), std::chrono::seconds(60), request.cancel);
  const Root root = read_root(store);
  const fs::path folder = folder_of(store);
  const std::uint64_t present = present_number(folder);
  if (request.expected && *request.expected != present)
    throw Error(Kind::kStore, fmt::format("the catalogue is number {}, not {}", present, *request.expected))
        .hint("somebody updated it meanwhile: imgforge catalogue show");
  UpdateResult result;
  result.version = present + 1;
  result.expires = core::iso_time(request.now + std::chrono::hours(24 * request.days));
  const std::vector<RoleSigner> signers{request.online};
  Json body = signed_part("targets", result.version, result.expires);
  body["targets"] = list_releases(store, request, result);
  const std::string targets = sign_document(body, signers);
  body = signed_part("snapshot", result.version, result.expires);
  body["meta"] = {{"targets.json", meta_of(targets, result.version)}};
  const std::string snapshot = sign_document(body, signers);
  body = signed_part("timestamp", result.version, result.expires);
  body["meta"] = {{"snapshot.json", meta_of(snapshot, result.version)}};
  const std::string timestamp = sign_document(body, signers);
  for (const auto& [type, text, limit] : {std::tuple{"targets", &targets, kMaxTargets},
                                          {"snapshot", &snapshot, kMaxSnapshot},
                                          {"timestamp", &timestamp, kMaxTimestamp}})
    root.role(type).require(parse_document(*text, type, limit));
  core::write_file_atomically(folder / "targets.json", targets);
  core::write_file_atomically(folder / "snapshot.json", snapshot);
  core::write_file_atomically(folder / "timestamp.json", timestamp);
  return result;
}

}  // namespace imgforge::catalogue
