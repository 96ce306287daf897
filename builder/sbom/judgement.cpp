// What a security database found against what the release itself says about it.
#include <algorithm>
#include <map>

#include "builder/sbom/facts.hpp"
#include "builder/sbom/security_database.hpp"
#include "core/text.hpp"

namespace imgforge::sbom {
namespace {

/// Statements by vulnerability and package.
using Known = std::map<std::pair<std::string, std::string>, const Statement*>;

/// A database may add a word about others: "CVE-2022-30065 (Alpine-1)".
const Statement* statement_about(const Known& known, const std::string& id, const std::string& purl) {
  for (const std::string& word : core::split(id, ' ')) {
    const auto found = known.find({word, purl});
    if (found != known.end()) return found->second;
  }
  return nullptr;
}

std::string reason_of(const Statement& statement) {
  for (const std::string* text :
       {&statement.justification, &statement.impact_statement, &statement.action_statement}) {
    if (!text->empty()) return *text;
  }
  return statement.status_notes;
}

}  // namespace

std::vector<Judged> judged(const std::vector<Vulnerable>& found, const artifacts::Manifest& manifest,
                           const std::vector<Statement>& statements) {
  Known known;
  for (const Statement& statement : statements) {
    for (const std::string& purl : statement.packages) known[{statement.vulnerability, purl}] = &statement;
  }
  std::map<std::string, std::string> purls;
  for (const artifacts::ManifestPackage& package : manifest.packages)
    purls[package.name] = purl_of(package, manifest.base);
  std::vector<Judged> out;
  for (const Vulnerable& row : found) {
    const std::size_t first = out.size();
    for (const std::string& id : row.ids) {
      const Statement* said = statement_about(known, id, purls[row.package]);
      const std::string status = said == nullptr ? "" : said->status;
      const std::string why = said == nullptr ? "" : reason_of(*said);
      auto place = std::find_if(out.begin() + static_cast<std::ptrdiff_t>(first), out.end(),
                                [&](const Judged& one) { return one.status == status && one.why == why; });
      if (place == out.end()) {
        out.push_back({row, status, why});
        place = out.end() - 1;
        place->what.ids.clear();
      }
      place->what.ids.push_back(id);
    }
  }
  return out;
}

}  // namespace imgforge::sbom
