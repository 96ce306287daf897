// Catalogues in memory for tests: honest ones, and what somebody with some of the keys could make.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "artifacts/catalogue/client.hpp"
#include "artifacts/catalogue/metadata.hpp"
#include "core/json.hpp"
#include "signing/primitives/ed25519.hpp"

namespace imgforge::catalogue {

struct TestKey {
  std::array<std::uint8_t, 32> seed{};
  signing::Ed25519Public point;
  explicit TestKey(std::uint8_t number) {
    seed.fill(number);
    point = signing::ed25519_public(seed);
  }
  std::string id() const { return key_id(point); }
};

/// All files of a repository, and how they are made. Every member may be changed between two calls.
struct TestCatalogue {
  std::vector<TestKey> roots{TestKey(1), TestKey(2), TestKey(3)};
  std::uint64_t threshold = 2;
  TestKey online{9};
  std::string expires = "2027-01-01T00:00:00Z";
  std::map<std::string, std::string> files;

  static std::string sign(const core::Json& body, const std::vector<TestKey>& keys) {
    const std::string bytes = canonical_json(body);
    core::Json signatures = core::Json::array();
    for (const TestKey& key : keys) {
      const auto signature = signing::ed25519_sign(
          key.seed, std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
      signatures.push_back({{"keyid", key.id()}, {"sig", core::to_hex(signature)}});
    }
    return canonical_json({{"signatures", signatures}, {"signed", body}});
  }

  core::Json head(const char* type, std::uint64_t version) const {
    return {{"_type", type}, {"expires", expires}, {"spec_version", "1.0.31"}, {"version", version}};
  }

  core::Json root_body(std::uint64_t version) const {
    core::Json keys = core::Json::object();
    core::Json ids = core::Json::array();
    for (const TestKey& key : roots) {
      keys[key.id()] = key_object(key.point);
      ids.push_back(key.id());
    }
    keys[online.id()] = key_object(online.point);
    const core::Json role{{"keyids", core::Json::array({online.id()})}, {"threshold", 1}};
    core::Json body = head("root", version);
    body["consistent_snapshot"] = false;
    body["keys"] = keys;
    body["roles"] = {{"root", {{"keyids", ids}, {"threshold", threshold}}},
                     {"snapshot", role},
                     {"targets", role},
                     {"timestamp", role}};
    return body;
  }

  std::string make_root(std::uint64_t version, const std::vector<TestKey>& signers) {
    std::string text = sign(root_body(version), signers);
    files[std::to_string(version) + ".root.json"] = text;
    return text;
  }

  static core::Json target(const std::string& line, const std::string& version) {
    return {{"custom", {{"line", line}, {"state", "current"}, {"version", version}}},
            {"hashes", {{"sha256", std::string(64, 'a')}, {"sha512", std::string(128, 'b')}}},
            {"length", 100}};
  }

  core::Json targets = {{"releases/demo/v1/manifest.json", target("demo", "v1")}};

  static core::Json meta(const std::string& name, const std::string& text, std::uint64_t version) {
    return {{name,
             {{"hashes", {{"sha256", core::digest_of(core::HashAlgorithm::kSha256, text).hex()}}},
              {"length", text.size()},
              {"version", version}}}};
  }

  void make(std::uint64_t version) {
    core::Json body = head("targets", version);
    body["targets"] = targets;
    files["targets.json"] = sign(body, {online});
    body = head("snapshot", version);
    body["meta"] = meta("targets.json", files["targets.json"], version);
    files["snapshot.json"] = sign(body, {online});
    body = head("timestamp", version);
    body["meta"] = meta("snapshot.json", files["snapshot.json"], version);
    files["timestamp.json"] = sign(body, {online});
  }

  Source source() const {
    return [this](const std::string& name, std::size_t) -> std::optional<std::string> {
      const auto found = files.find(name);
      return found == files.end() ? std::nullopt : std::optional(found->second);
    };
  }
};

}  // namespace imgforge::catalogue
