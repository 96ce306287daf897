#include "builder/sbom/sbom.hpp"

#include <gmock/gmock.h>

#include <set>

#include "builder/sbom/facts.hpp"
#include "core/json.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using artifacts::ManifestPackage;
using core::Json;
using ::testing::ElementsAre;

core::Digest sha256_of(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

ManifestPackage of_base(const std::string& name) {
  ManifestPackage package;
  package.name = name;
  package.version = "1-r0";
  package.arch = "x86_64";
  package.licence = "GPL-2.0-only AND (MIT OR Apache-2.0 WITH LLVM-exception)";
  package.from_base = true;
  return package;
}

Manifest hello() {
  Manifest manifest;
  manifest.name = "hello";
  manifest.version = "v20261120";
  manifest.created = "2026-11-20T01:02:03Z";
  manifest.tool_version = "0.1.0";
  manifest.base = {"minirootfs", "3.22.2", "https://mirror.example/a.tar.gz", sha256_of("base"), 7};
  ManifestPackage jq = of_base("jq");
  jq.version = "1.7+git-r0";
  jq.repository = "https://mirror.example/v3.22/main/x86_64";
  jq.licence = "public domain";
  jq.origin = "jq-source";
  jq.sha256 = sha256_of("jq");
  jq.size = 9;
  jq.from_base = false;
  manifest.packages = {of_base("a_b"), of_base("a+b"), jq, of_base("musl")};
  artifacts::ManifestModel model;
  model.name = "tiny";
  model.version = "v1";
  model.source = "https://models.example/tiny.gguf";
  model.licence = "MIT";
  model.when = "build";
  model.sha256 = sha256_of("tiny");
  model.size = 11;
  manifest.models = {model};
  return manifest;
}

const Json& named(const Json& rows, const char* name) {
  for (const Json& row : rows) {
    if (row.at("name") == name) return row;
  }
  throw std::runtime_error(name);
}

TEST(Spdx, HasAllOnceAndTellsWhatCameWithTheBase) {
  const Json sbom = core::parse_json(make_spdx(hello()), "the SBOM");
  std::set<std::string> ids;
  for (const Json& row : sbom.at("packages")) {
    EXPECT_TRUE(ids.insert(row.at("SPDXID").get<std::string>()).second) << row.at("SPDXID");
  }
  EXPECT_EQ(ids.size(), 7U);  // image, base, four packages, a model
  std::set<std::string> of_base;
  for (const Json& row : sbom.at("relationships")) {
    if (row.at("spdxElementId") == "SPDXRef-Base")
      of_base.insert(row.at("relatedSpdxElement").get<std::string>());
  }
  EXPECT_THAT(of_base, ElementsAre("SPDXRef-Package-a-b", "SPDXRef-Package-a-b-2", "SPDXRef-Package-musl"));
  const Json& musl = named(sbom.at("packages"), "musl");
  EXPECT_EQ(musl.at("licenseDeclared"), "GPL-2.0-only AND (MIT OR Apache-2.0 WITH LLVM-exception)");
  EXPECT_FALSE(musl.contains("checksums"));
  const Json& jq = named(sbom.at("packages"), "jq");
  EXPECT_EQ(jq.at("licenseDeclared"), "NOASSERTION");
  EXPECT_EQ(jq.at("licenseComments"), "public domain");
  EXPECT_EQ(jq.at("sourceInfo"), "built from the source package jq-source");
  EXPECT_EQ(jq.at("checksums").at(0).at("checksumValue"), sha256_of("jq").hex());
  EXPECT_EQ(jq.at("externalRefs").at(0).at("referenceLocator"),
            "pkg:apk/alpine/jq@1.7%2Bgit-r0?arch=x86_64&distro=3.22.2");
}

TEST(CycloneDx, HasTheSameComponents) {
  const Json sbom = core::parse_json(make_cyclonedx(hello()), "the SBOM");
  EXPECT_EQ(sbom.at("specVersion"), "1.6");
  const Json& components = sbom.at("components");
  EXPECT_EQ(components.size(), 6U);
  EXPECT_EQ(named(components, "musl").at("licenses").at(0).at("expression"),
            "GPL-2.0-only AND (MIT OR Apache-2.0 WITH LLVM-exception)");
  EXPECT_EQ(named(components, "jq").at("licenses").at(0).at("license").at("name"), "public domain");
  EXPECT_EQ(named(components, "jq").at("properties").at(0).at("value"), "jq-source");
  EXPECT_EQ(named(components, "tiny").at("type"), "machine-learning-model");
  std::set<std::string> references;
  for (const Json& row : components) references.insert(row.at("bom-ref").get<std::string>());
  EXPECT_EQ(references.size(), components.size());
  for (const Json& row : sbom.at("dependencies")) {
    for (const Json& reference : row.at("dependsOn"))
      EXPECT_TRUE(references.contains(reference.get<std::string>()));
  }
}

TEST(Sbom, EqualManifestsGiveEqualTextAndOthersAnotherNumber) {
  EXPECT_EQ(make_spdx(hello()), make_spdx(hello()));
  EXPECT_EQ(make_cyclonedx(hello()), make_cyclonedx(hello()));
  Manifest other = hello();
  other.packages.pop_back();
  EXPECT_NE(core::parse_json(make_cyclonedx(other), "x").at("serialNumber"),
            core::parse_json(make_cyclonedx(hello()), "x").at("serialNumber"));
}

TEST(Licences, ExpressionsAreToldFromSentences) {
  for (const char* text :
       {"MIT", "GPL-2.0-or-later", "(MIT OR BSD-3-Clause) AND Zlib", "Apache-2.0 WITH LLVM-exception"})
    EXPECT_TRUE(is_licence_expression(text)) << text;
  for (const char* text :
       {"", "public domain", "MIT AND", "AND MIT", "(MIT", "MIT)", "MIT BSD", "custom, see file", "()"})
    EXPECT_FALSE(is_licence_expression(text)) << text;
}

}  // namespace
}  // namespace imgforge::sbom
