#include "builder/sbom/vex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "builder/sbom/facts.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using core::Json;

constexpr std::string_view kContext = "https://openvex.dev/ns/v0.2.0";
constexpr std::array<std::string_view, 4> kStatuses{"not_affected", "affected", "fixed",
                                                    "under_investigation"};
constexpr std::array<std::string_view, 5> kJustifications{
    "component_not_present", "vulnerable_code_not_present", "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary", "inline_mitigations_already_exist"};

struct Text {
  const char* member;
  std::string Statement::*value;
};
/// Members of a statement that are there when they say something.
constexpr std::array<Text, 4> kTexts{{{"justification", &Statement::justification},
                                      {"impact_statement", &Statement::impact_statement},
                                      {"action_statement", &Statement::action_statement},
                                      {"status_notes", &Statement::status_notes}}};

core::Error malformed(const std::string& why) {
  return std::move(core::Error(core::Kind::kIntegrity, "malformed OpenVEX document: " + why)
                       .reason(core::Reason::kMalformed));
}

Json statement_json(const Statement& statement, const std::string& product) {
  Json packages = Json::array();
  for (const std::string& purl : statement.packages) packages.push_back({{"@id", purl}});
  Json row{{"vulnerability", {{"name", statement.vulnerability}}},
           {"products", Json::array({{{"@id", product}, {"subcomponents", packages}}})},
           {"status", statement.status}};
  for (const Text& text : kTexts) {
    if (!(statement.*text.value).empty()) row[text.member] = statement.*text.value;
  }
  return row;
}

/// All members of an object are ones of `known`.
void require_known(const Json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) throw malformed("an object is expected");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw malformed("unknown member \"" + core::escaped(name, 60) + "\"");
  }
}

void check(const Statement& statement) {
  const auto is_one_of = [](const auto& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (!is_one_of(kStatuses, statement.status)) throw malformed("unknown status");
  if (!statement.justification.empty() && !is_one_of(kJustifications, statement.justification))
    throw malformed("unknown justification");
  const bool explained = !statement.justification.empty() || !statement.impact_statement.empty();
  if (statement.status == "not_affected" && !explained)
    throw malformed("not_affected without justification or impact statement");
  if (!statement.justification.empty() && !statement.impact_statement.empty())
    throw malformed("justification and impact statement are both given");
  if (statement.status != "not_affected" && explained)
    throw malformed("a justification of another status than not_affected");
  if (statement.status == "affected" && statement.action_statement.empty())
    throw malformed("affected without action statement");
  if (statement.vulnerability.empty() || statement.packages.empty())
    throw malformed("a statement about nothing");
}

Statement read_statement(const Json& row) {
  require_known(row, {"vulnerability", "products", "status", "justification", "impact_statement",
                      "action_statement", "status_notes"});
  require_known(row.at("vulnerability"), {"name"});
  Statement out;
  out.vulnerability = row.at("vulnerability").at("name").get<std::string>();
  out.status = row.at("status").get<std::string>();
  for (const Text& text : kTexts) {
    if (row.contains(text.member)) out.*text.value = row.at(text.member).get<std::string>();
  }
  for (const Json& product : row.at("products")) {
    require_known(product, {"@id", "subcomponents"});
    for (const Json& package : product.at("subcomponents")) {
      require_known(package, {"@id"});
      out.packages.push_back(package.at("@id").get<std::string>());
    }
  }
  check(out);
  return out;
}

}  // namespace

std::vector<std::string> packages_named(const Manifest& manifest, std::string_view name) {
  std::vector<std::string> out;
  for (const artifacts::ManifestPackage& package : manifest.packages) {
    if (package.name == name || package.origin == name) out.push_back(purl_of(package, manifest.base));
  }
  return out;
}

std::string absent_package(std::string_view name) {
  return apk_purl(name);
}

std::optional<artifacts::Document> vex_document(const Manifest& manifest,
                                                const std::vector<Statement>& statements) {
  if (statements.empty()) return std::nullopt;
  Json rows = Json::array();
  for (const Statement& statement : statements)
    rows.push_back(statement_json(statement, image_purl(manifest)));
  const std::string identity = fmt::format("imgforge openvex {} {}", manifest.created, rows.dump());
  std::string text = core::print_json({{"@context", kContext},
                                       {"@id", "urn:uuid:" + core::derived_uuid(identity)},
                                       {"author", "recipe " + manifest.name},
                                       {"timestamp", manifest.created},
                                       {"version", 1},
                                       {"tooling", "imgforge " + manifest.tool_version},
                                       {"statements", rows}});
  return artifacts::Document{std::string(kVexFile), std::move(text)};
}

std::vector<Statement> read_vex(std::string_view text) {
  std::vector<Statement> out;
  try {
    const Json json = core::parse_json(text, "OpenVEX document", {.bytes = kMaxVexBytes, .depth = 12});
    require_known(json, {"@context", "@id", "author", "timestamp", "version", "tooling", "statements"});
    if (json.at("@context") != kContext) throw malformed("it is not of version 0.2.0");
    if (!json.at("statements").is_array()) throw malformed("statements is no list");
    if (json.at("statements").size() > kMaxStatements) throw malformed("too many statements");
    for (const Json& row : json.at("statements")) out.push_back(read_statement(row));
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  }
  return out;
}

}  // namespace imgforge::sbom
