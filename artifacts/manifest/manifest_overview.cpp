// A manifest read for a list of thousands: the members come as events and what nobody lists is passed over.
// The table below says which member goes where.
#include <string>
#include <unordered_map>

#include "artifacts/manifest/manifest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Digest;
using core::Error;
using core::HashAlgorithm;
using core::Json;
using core::Kind;

/// A scalar member as it was read.
struct Value {
  enum class Type { kText, kNumber, kTruth } type = Type::kText;
  std::string text;
  std::uint64_t number = 0;
  bool truth = false;
};

/// Where a member goes. `key` is its own name, for maps with free names.
struct Place {
  Value::Type type = Value::Type::kText;
  void (*set)(Manifest& manifest, Value& value, const std::string& key) = nullptr;
};

using Type = Value::Type;

ManifestArtifact& artifact(Manifest& manifest) {
  return manifest.artifacts.back();
}
ManifestDerivation& derivation(Manifest& manifest) {
  if (!manifest.derived_from) manifest.derived_from.emplace();
  return *manifest.derived_from;
}
ManifestBoot& boot(Manifest& manifest) {
  return manifest.boots.back();
}

/// Members by path; "*" is any element of a list, "?" any member of a map.
const std::unordered_map<std::string_view, Place>& places() {
  using M = Manifest;
  using V = Value;
  using K = std::string;
  static const std::unordered_map<std::string_view, Place> table{
      {"/name", {Type::kText, [](M& m, V& v, const K&) { m.name = std::move(v.text); }}},
      {"/profile", {Type::kText, [](M& m, V& v, const K&) { m.profile = std::move(v.text); }}},
      {"/version", {Type::kText, [](M& m, V& v, const K&) { m.version = std::move(v.text); }}},
      {"/created", {Type::kText, [](M& m, V& v, const K&) { m.created = std::move(v.text); }}},
      {"/unsigned", {Type::kTruth, [](M& m, V& v, const K&) { m.is_unsigned = v.truth; }}},
      {"/draft", {Type::kTruth, [](M& m, V& v, const K&) { m.is_draft = v.truth; }}},
      {"/derived_from/release",
       {Type::kText, [](M& m, V& v, const K&) { derivation(m).release = std::move(v.text); }}},
      {"/derived_from/operation",
       {Type::kText, [](M& m, V& v, const K&) { derivation(m).operation = std::move(v.text); }}},
      {"/derived_from/artifacts/*",
       {Type::kText,
        [](M& m, V& v, const K&) {
          derivation(m).artifacts.push_back(Digest::from_hex(HashAlgorithm::kSha256, v.text));
        }}},
      {"/insecure/*", {Type::kText, [](M& m, V& v, const K&) { m.insecure.push_back(std::move(v.text)); }}},
      {"/tool/version", {Type::kText, [](M& m, V& v, const K&) { m.tool_version = std::move(v.text); }}},
      {"/base/kind", {Type::kText, [](M& m, V& v, const K&) { m.base.kind = std::move(v.text); }}},
      {"/base/release", {Type::kText, [](M& m, V& v, const K&) { m.base.release = std::move(v.text); }}},
      {"/kernel/release", {Type::kText, [](M& m, V& v, const K&) { m.kernel_release = std::move(v.text); }}},
      {"/artifacts/*/file",
       {Type::kText, [](M& m, V& v, const K&) { artifact(m).file = std::move(v.text); }}},
      {"/artifacts/*/format",
       {Type::kText, [](M& m, V& v, const K&) { artifact(m).format = std::move(v.text); }}},
      {"/artifacts/*/size", {Type::kNumber, [](M& m, V& v, const K&) { artifact(m).size = v.number; }}},
      {"/artifacts/*/virtual_size",
       {Type::kNumber, [](M& m, V& v, const K&) { artifact(m).virtual_size = v.number; }}},
      {"/artifacts/*/sha256",
       {Type::kText,
        [](M& m, V& v, const K&) { artifact(m).sha256 = Digest::from_hex(HashAlgorithm::kSha256, v.text); }}},
      {"/artifacts/*/sha512",
       {Type::kText,
        [](M& m, V& v, const K&) { artifact(m).sha512 = Digest::from_hex(HashAlgorithm::kSha512, v.text); }}},
      {"/artifacts/*/media/?",
       {Type::kText, [](M& m, V& v, const K& key) { artifact(m).media[key] = std::move(v.text); }}},
      {"/documents/*/file",
       {Type::kText, [](M& m, V& v, const K&) { m.documents.back().file = std::move(v.text); }}},
      {"/documents/*/size",
       {Type::kNumber, [](M& m, V& v, const K&) { m.documents.back().size = v.number; }}},
      {"/boots/*/artifact",
       {Type::kText, [](M& m, V& v, const K&) { boot(m).artifact = std::move(v.text); }}},
      {"/boots/*/path", {Type::kText, [](M& m, V& v, const K&) { boot(m).path = std::move(v.text); }}},
      {"/boots/*/accelerator",
       {Type::kText, [](M& m, V& v, const K&) { boot(m).accelerator = std::move(v.text); }}},
      {"/boots/*/memory", {Type::kNumber, [](M& m, V& v, const K&) { boot(m).memory.value = v.number; }}},
      {"/boots/*/cpus",
       {Type::kNumber, [](M& m, V& v, const K&) { boot(m).cpus = static_cast<unsigned>(v.number); }}},
      {"/boots/*/markers/*/marker",
       {Type::kText, [](M& m, V& v, const K&) { boot(m).markers.back().first = std::move(v.text); }}},
      {"/boots/*/markers/*/milliseconds",
       {Type::kNumber, [](M& m, V& v, const K&) { boot(m).markers.back().second = v.number; }}},
  };
  return table;
}

/// Receives the events of the parser.
class Overview : public nlohmann::json_sax<Json> {
 public:
  explicit Overview(Manifest& manifest) : manifest_(manifest) {}

  bool null() override { return true; }
  bool boolean(bool value) override { return put({Type::kTruth, {}, 0, value}); }
  bool number_integer(number_integer_t) override { return true; }  // below zero: nothing of ours
  bool number_unsigned(number_unsigned_t value) override {
    if (path_ == "/schema" && value != 1) throw Error(Kind::kIntegrity, "manifest: schema is not 1");
    return put({Type::kNumber, {}, value, false});
  }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t& value) override {
    for (const char c : value) {
      if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
        throw Error(Kind::kIntegrity, "manifest: a text has a control character");
    }
    return put({Type::kText, std::move(value), 0, false});
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override {
    if (path_ == "/artifacts/*") manifest_.artifacts.emplace_back();
    if (path_ == "/documents/*") manifest_.documents.emplace_back();
    if (path_ == "/boots/*") manifest_.boots.emplace_back();
    if (path_ == "/boots/*/markers/*") boot(manifest_).markers.emplace_back();
    enter("");
    return true;
  }
  bool key(string_t& value) override {
    path_.resize(starts_.back());
    key_ = value;
    path_ += '/';
    path_ += path_.ends_with("/media/") ? "?" : value;
    // print_manifest puts the packages last.
    done_ = starts_.size() == 1 && path_ == "/packages" && !manifest_.artifacts.empty();
    return !done_;
  }
  bool end_object() override { return leave(); }
  bool start_array(std::size_t) override {
    enter("/*");
    return true;
  }
  bool end_array() override { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    throw Error(Kind::kIntegrity,
                std::string("manifest is not valid JSON: ") + core::escaped(error.what(), 200));
  }

 private:
  void enter(std::string_view inside) {
    constexpr std::size_t kMaxDepth = 8;
    starts_.push_back(path_.size());
    if (starts_.size() > kMaxDepth) throw Error(Kind::kIntegrity, "manifest is nested too deeply");
    path_ += inside;
  }
  bool leave() {
    path_.resize(starts_.back());
    starts_.pop_back();
    return true;
  }
  bool put(Value value) {
    const auto place = places().find(path_);
    if (place == places().end()) return true;
    if (place->second.type != value.type) {
      throw Error(Kind::kIntegrity, "manifest: " + core::escaped(path_, 120) + " is not of its type");
    }
    place->second.set(manifest_, value, key_);
    return true;
  }

  Manifest& manifest_;
  std::string path_;
  std::string key_;
  std::vector<std::size_t> starts_;  ///< lengths of the path where each open object or list began
  bool done_ = false;
};

}  // namespace

Manifest parse_manifest_overview(std::string_view text) {
  if (text.size() > kMaxManifestBytes) throw Error(Kind::kIntegrity, "manifest is too large");
  Manifest manifest;
  Overview overview(manifest);
  Json::sax_parse(text.begin(), text.end(), &overview);
  check_manifest_names(manifest);
  return manifest;
}

}  // namespace imgforge::artifacts
