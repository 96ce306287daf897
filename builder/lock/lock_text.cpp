// Lock files as text: a row a line, and read back with the same suspicion as an index, because names and
// addresses out of a lock become file names and requests.
#include <fmt/format.h>

#include <functional>
#include <set>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_names.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/lock/lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::lock {
namespace {

using core::Digest;
using core::Error;
using core::HashAlgorithm;
using core::Json;
using core::Kind;

constexpr std::string_view kVersion = "v1";
constexpr std::string_view kSha256 = "sha256-";  // apko's and npm's way to write a digest
constexpr core::JsonLimits kLimits{64 << 20, 8};
constexpr std::string_view kActions[] = {"install", "upgrade", "downgrade", "replace", "remove"};

std::string digest_text(const Digest& sha256) {
  return std::string(kSha256) + sha256.hex();
}

// ---- writing

std::string one_line(const Json& row) {
  if (!row.is_object()) return row.dump();
  std::string text;
  for (const auto& [key, value] : row.items())
    text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", Json(key).dump(), value.dump());
  return "{" + text + "}";
}

std::string rows_text(const std::vector<Json>& rows, std::size_t indent) {
  if (rows.empty()) return "[]";
  const std::string margin(indent, ' ');
  std::string text = "[\n";
  for (const Json& row : rows)
    text += fmt::format("{}  {}{}\n", margin, one_line(row), &row == &rows.back() ? "" : ",");
  return text + margin + "]";
}

template <class Row, class Function>
std::vector<Json> rows_of(const std::vector<Row>& values, Function&& make) {
  std::vector<Json> rows;
  for (const Row& value : values) rows.push_back(make(value));
  return rows;
}

Json base_row(const LockedBase& base) {
  return {{"flavor", base.flavor},     {"version", base.version}, {"branch", base.branch},
          {"architecture", base.arch}, {"url", base.url},         {"checksum", digest_text(base.sha256)},
          {"size", base.size}};
}

Json index_row(const LockedIndex& index) {
  return {{"name", index.name},
          {"url", index.url},
          {"architecture", index.arch},
          {"checksum", digest_text(index.sha256)}};
}

Json package_row(const LockedPackage& package) {
  return {{"name", package.name},
          {"version", package.version},
          {"architecture", package.arch},
          {"repository", package.repository},
          {"url", package.url},
          {"checksum", fetch::identity_text(package.identity)},
          {"sha256", package.sha256.hex()},
          {"size", package.size},
          {"build_time", package.build_time}};
}

Json model_row(const LockedModel& row) {
  Json json = models::to_json(row.model);
  json["when"] =
      recipe::time_word(row.is_in_image ? recipe::ModelTime::kBuild : recipe::ModelTime::kFirstBoot);
  return json;
}

std::string step_text(const LockedStep& step) {
  return fmt::format("{} {} {}{}{}", step.action, step.name, step.old_version,
                     step.old_version.empty() ? "" : " -> ", step.version);
}

std::string profile_text(const LockedProfile& profile) {
  const auto words = [](const std::vector<std::string>& values) { return Json(values).dump(); };
  std::string text = fmt::format("    {{\n      \"name\": {},\n", Json(profile.name).dump());
  text += fmt::format("      \"asked\": {{\n        \"base\": {},\n        \"repositories\": {},\n",
                      Json(profile.request.base).dump(), words(profile.request.repositories));
  text += fmt::format("        \"add\": {},\n        \"remove\": {},\n        \"models\": {}\n      }},\n",
                      rows_text({profile.request.add.begin(), profile.request.add.end()}, 8),
                      words(profile.request.remove),
                      rows_text({profile.request.models.begin(), profile.request.models.end()}, 8));
  if (profile.base) text += fmt::format("      \"base\": {},\n", *profile.base);
  const auto steps = rows_of(profile.steps, [](const LockedStep& step) { return Json(step_text(step)); });
  return text + fmt::format("      \"packages\": {}\n    }}", rows_text(steps, 6));
}

// ---- reading

/// Reads members with the place that they stand at in its messages.
class Reader {
 public:
  explicit Reader(std::string_view what) : what_(what) {}

  [[noreturn]] void fail(const std::string& where, const std::string& fault) const {
    throw Error(Kind::kIntegrity, fmt::format("{}: {}: {}", what_, where, fault))
        .hint("imgforge lock writes the file anew");
  }
  const Json& member(const Json& object, const char* key, const std::string& where) const {
    if (!object.is_object() || !object.contains(key)) fail(where, fmt::format("\"{}\" is missing", key));
    return object.at(key);
  }
  std::string text(const Json& object, const char* key, const std::string& where) const {
    const Json& value = member(object, key, where);
    if (!value.is_string()) fail(where, fmt::format("\"{}\" is not a text", key));
    return value.get<std::string>();
  }
  /// A text that `good` accepts.
  std::string checked(const Json& object, const char* key, const std::string& where,
                      const std::function<bool(std::string_view)>& good) const {
    std::string value = text(object, key, where);
    if (!good(value)) fail(where, fmt::format("\"{}\" cannot be {}", key, core::escaped(value, 80)));
    return value;
  }
  std::uint64_t number(const Json& object, const char* key, const std::string& where) const {
    const Json& value = member(object, key, where);
    if (!value.is_number_unsigned()) fail(where, fmt::format("\"{}\" is not a number", key));
    return value.get<std::uint64_t>();
  }
  const Json& list(const Json& object, const char* key, const std::string& where) const {
    const Json& value = member(object, key, where);
    if (!value.is_array()) fail(where, fmt::format("\"{}\" is not a list", key));
    return value;
  }
  std::vector<std::string> texts(const Json& object, const char* key, const std::string& where) const {
    std::vector<std::string> values;
    for (const Json& value : list(object, key, where)) {
      if (!value.is_string()) fail(where, fmt::format("\"{}\" holds what is not a text", key));
      values.push_back(value.get<std::string>());
    }
    return values;
  }
  std::string url(const Json& object, const std::string& where) const {
    std::string value = text(object, "url", where);
    try {
      fetch::check_url(value);
    } catch (const Error& error) {
      fail(where, error.message());
    }
    return value;
  }
  Digest sha256(const Json& object, const char* key, std::string_view prefix,
                const std::string& where) const {
    const std::string value = text(object, key, where);
    if (!value.starts_with(prefix)) fail(where, fmt::format("\"{}\" does not begin with {}", key, prefix));
    try {
      return Digest::from_hex(HashAlgorithm::kSha256, value.substr(prefix.size()));
    } catch (const Error& error) {
      fail(where, error.message());
    }
  }
  Digest identity(const Json& object, const std::string& where) const {
    const std::string value = text(object, "checksum", where);
    try {
      return fetch::parse_identity(value);
    } catch (const Error& error) {
      fail(where, error.message());
    }
  }

 private:
  std::string_view what_;
};

bool is_path_word(std::string_view text) {
  return fetch::is_plain_file_name(text);
}

LockedBase read_base(const Reader& reader, const Json& row, const std::string& where) {
  return {reader.checked(row, "flavor", where, is_path_word),
          reader.checked(row, "version", where, is_path_word),
          reader.checked(row, "branch", where, is_path_word),
          reader.checked(row, "architecture", where, fetch::is_arch),
          reader.url(row, where),
          reader.sha256(row, "checksum", kSha256, where),
          reader.number(row, "size", where)};
}

LockedIndex read_index(const Reader& reader, const Json& row, const std::string& where) {
  return {reader.text(row, "name", where), reader.url(row, where),
          reader.checked(row, "architecture", where, fetch::is_arch),
          reader.sha256(row, "checksum", kSha256, where)};
}

LockedPackage read_package(const Reader& reader, const Json& row, const std::string& where) {
  return {reader.checked(row, "name", where, fetch::is_package_name),
          reader.checked(row, "version", where, fetch::is_package_version),
          reader.checked(row, "architecture", where, fetch::is_arch),
          reader.text(row, "repository", where),
          reader.url(row, where),
          reader.identity(row, where),
          reader.sha256(row, "sha256", "", where),
          reader.number(row, "size", where),
          reader.number(row, "build_time", where)};
}

LockedModel read_model(const Reader& reader, const Json& row, const std::string& where) {
  const std::string when = reader.checked(row, "when", where, [](std::string_view word) {
    return word == recipe::time_word(recipe::ModelTime::kBuild) ||
           word == recipe::time_word(recipe::ModelTime::kFirstBoot);
  });
  LockedModel model{models::model_from_json(row, where),
                    when == recipe::time_word(recipe::ModelTime::kBuild)};
  if (!is_path_word(model.model.name) || !is_path_word(model.model.version))
    reader.fail(where, "name or version cannot be a file name");
  for (models::ModelFile& file : model.model.files) {
    if (!file.sha256 || !file.size) reader.fail(where, file.path + " has no digest or size");
    file.by = "the lock";
  }
  return model;
}

/// "install jq 1.7-r0", "upgrade jq 1.6-r0 -> 1.7-r0".
LockedStep read_step(const Reader& reader, const std::string& text, const std::string& where) {
  const std::vector<std::string> words = core::split(text, ' ');
  const bool exchange = words.size() == 5 && words[3] == "->";
  const bool known =
      !words.empty() && std::find(std::begin(kActions), std::end(kActions), words[0]) != std::end(kActions);
  if (!known || (words.size() != 3 && !exchange) || !fetch::is_package_name(words[1]) ||
      !fetch::is_package_version(words[2]) || !fetch::is_package_version(words.back()))
    reader.fail(where, "not a step: " + core::escaped(text, 100));
  return {words[0], words[1], words.back(), exchange ? words[2] : ""};
}

LockedProfile read_profile(const Reader& reader, const Json& row, const Lock& lock) {
  LockedProfile profile;
  profile.name = reader.text(row, "name", "profiles");
  const std::string where = "profile \"" + core::escaped(profile.name, 60) + "\"";
  const Json& asked = reader.member(row, "asked", where);
  profile.request = {reader.text(asked, "base", where), reader.texts(asked, "repositories", where),
                     reader.texts(asked, "add", where), reader.texts(asked, "remove", where),
                     reader.texts(asked, "models", where)};
  if (row.contains("base")) {
    profile.base = reader.number(row, "base", where);
    if (*profile.base >= lock.bases.size()) reader.fail(where, "\"base\" is not in the list of bases");
  }
  for (const std::string& text : reader.texts(row, "packages", where)) {
    profile.steps.push_back(read_step(reader, text, where));
    const LockedStep& step = profile.steps.back();
    if (step.action != "remove" && lock.find_package(step.name, step.version) == nullptr)
      reader.fail(where, fmt::format("{}-{} is not among the packages", step.name, step.version));
  }
  return profile;
}

}  // namespace

std::string print_lock(const Lock& lock) {
  std::vector<std::string> profiles;
  for (const LockedProfile& profile : lock.profiles) profiles.push_back(profile_text(profile));
  std::vector<Json> tools;
  std::string text = fmt::format("{{\n  \"version\": \"{}\",\n  \"config\": {},\n  \"contents\": {{\n",
                                 kVersion, one_line({{"name", lock.recipe}}));
  text += fmt::format("    \"repositories\": {},\n", rows_text(rows_of(lock.indexes, index_row), 4));
  text += fmt::format("    \"packages\": {}\n  }},\n", rows_text(rows_of(lock.packages, package_row), 4));
  text += fmt::format("  \"bases\": {},\n", rows_text(rows_of(lock.bases, base_row), 2));
  text += fmt::format("  \"models\": {},\n", rows_text(rows_of(lock.models, model_row), 2));
  text += fmt::format("  \"profiles\": [\n{}\n  ],\n", core::join(profiles, ",\n"));
  Json versions = Json::object();
  for (const auto& [name, version] : lock.tools) versions[name] = version;
  return text + fmt::format("  \"tools\": {}\n}}\n", one_line(versions));
}

Lock parse_lock(std::string_view text, std::string_view what) {
  const Json json = core::parse_json(text, what, kLimits);
  const Reader reader(what);
  if (reader.text(json, "version", "the file") != kVersion)
    reader.fail("the file", "\"version\" is not " + std::string(kVersion));
  Lock lock;
  lock.recipe = reader.text(reader.member(json, "config", "the file"), "name", "config");
  const Json& contents = reader.member(json, "contents", "the file");
  for (const Json& row : reader.list(json, "bases", "the file"))
    lock.bases.push_back(read_base(reader, row, fmt::format("base {}", lock.bases.size() + 1)));
  for (const Json& row : reader.list(contents, "repositories", "contents"))
    lock.indexes.push_back(read_index(reader, row, fmt::format("repository {}", lock.indexes.size() + 1)));
  std::set<std::string> names;
  for (const Json& row : reader.list(contents, "packages", "contents")) {
    lock.packages.push_back(read_package(reader, row, fmt::format("package {}", lock.packages.size() + 1)));
    const std::string name = lock.packages.back().full_name();
    if (!names.insert(name).second) reader.fail("contents", name + " is there twice");
  }
  for (const Json& row : reader.list(json, "models", "the file"))
    lock.models.push_back(read_model(reader, row, fmt::format("{}: model {}", what, lock.models.size() + 1)));
  for (const Json& row : reader.list(json, "profiles", "the file"))
    lock.profiles.push_back(read_profile(reader, row, lock));
  for (const auto& [name, version] : reader.member(json, "tools", "the file").items()) {
    if (!version.is_string())
      reader.fail("tools", "the version of " + core::escaped(name, 40) + " is no text");
    lock.tools[name] = version.get<std::string>();
  }
  return lock;
}

}  // namespace imgforge::lock
