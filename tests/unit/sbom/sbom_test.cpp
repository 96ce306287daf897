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

Inventory inventory() {
  Inventory out;
  out.components = {
      {std::string(kBootLoader), "isolinux.bin", "3:6.04+dfsg1-3", "isolinux", "syslinux",
       "pkg:deb/debian/isolinux@3:6.04%2Bdfsg1-3?arch=all&distro=debian-12", sha256_of("isolinux")},
      {std::string(kKernel), "linux", "6.6.1-own", "", "", "", sha256_of("kernel")},
      {std::string(kKernel), "linux", "6.6.2-own", "", "", "", sha256_of("other kernel")}};
  const std::string sha1 = core::digest_of(core::HashAlgorithm::kSha1, "x").hex();
  out.files = {{"etc/motd", "alpine-baselayout", 7, sha1, sha256_of("motd")},
               {"srv/\xff", "", 1, sha1, sha256_of("x")},
               {"srv/\xfe", "", 1, sha1, sha256_of("y")}};
  out.files_left_out = 12;
  return out;
}

TEST(Inventory, IsInBothFormsWithDigestsAndOrigin) {
  const Json spdx = core::parse_json(make_spdx(hello(), inventory()), "the SBOM");
  const Json& loader = named(spdx.at("packages"), "isolinux.bin");
  EXPECT_EQ(loader.at("primaryPackagePurpose"), "FIRMWARE");
  EXPECT_EQ(loader.at("versionInfo"), "3:6.04+dfsg1-3");
  EXPECT_EQ(loader.at("externalRefs").at(0).at("referenceLocator"), inventory().components[0].purl);
  EXPECT_EQ(loader.at("checksums").at(0).at("checksumValue"), sha256_of("isolinux").hex());
  EXPECT_FALSE(named(spdx.at("packages"), "linux").contains("externalRefs")) << "known by its digest alone";
  ASSERT_EQ(spdx.at("files").size(), 3U);
  EXPECT_EQ(spdx.at("files").at(0).at("fileName"), "./etc/motd");
  EXPECT_EQ(spdx.at("files").at(0).at("comment"), "in place of the file of the package alpine-baselayout");
  EXPECT_EQ(spdx.at("files").at(1).at("fileName"), "./srv/\\xff");
  EXPECT_EQ(spdx.at("files").at(1).at("SPDXID"), "SPDXRef-File-srv--xff");
  EXPECT_EQ(spdx.at("files").at(0).at("checksums").at(0).at("algorithm"), "SHA1");
  EXPECT_THAT(spdx.at("comment").get<std::string>(), ::testing::StartsWith("12 further files"));
  EXPECT_EQ(spdx.at("relationships").size(), 1U + 6 + 3 + 3);

  const Json bom = core::parse_json(make_cyclonedx(hello(), inventory()), "the SBOM");
  EXPECT_EQ(named(bom.at("components"), "isolinux.bin").at("type"), "firmware");
  EXPECT_EQ(named(bom.at("components"), "/etc/motd").at("type"), "file");
  std::set<std::string> references;
  for (const Json& row : bom.at("components")) references.insert(row.at("bom-ref").get<std::string>());
  EXPECT_EQ(references.size(), bom.at("components").size());
  EXPECT_TRUE(references.contains("kernel:linux #2"));
}

TEST(Inventory, SurvivesTheDocumentForReleasesMadeFromReleases) {
  EXPECT_EQ(read_inventory(make_cyclonedx(hello(), inventory())), inventory());
  EXPECT_EQ(read_inventory(make_cyclonedx(hello())), Inventory()) << "as of releases that tell none";
}

TEST(Models, AreMachineLearningComponentsWithAllThatIsKnown) {
  Manifest manifest = hello();
  manifest.models[0].metadata = {{"architecture", "llama"}, {"quantization", "Q4_K_M"}};
  manifest.models[0].format = "gguf";
  const Json bom = core::parse_json(make_cyclonedx(manifest), "the SBOM");
  const Json& model = named(bom.at("components"), "tiny");
  EXPECT_EQ(model.at("modelCard").at("modelParameters").at("architectureFamily"), "llama");
  EXPECT_EQ(model.at("externalReferences").at(0).at("url"), "https://models.example/tiny.gguf");
  EXPECT_EQ(model.at("hashes").at(0).at("content"), sha256_of("tiny").hex());
  EXPECT_EQ(model.at("licenses").at(0).at("expression"), "MIT");
  EXPECT_THAT(model.at("properties"),
              ::testing::Contains(Json{{"name", "imgforge:quantization"}, {"value", "Q4_K_M"}}));
  EXPECT_THAT(model.at("properties"),
              ::testing::Contains(Json{{"name", "imgforge:format"}, {"value", "gguf"}}));
}

TEST(Purl, NamesAndVersionsAreEncoded) {
  ManifestPackage package = of_base("libstdc++");
  EXPECT_EQ(purl_of(package, hello().base), "pkg:apk/alpine/libstdc%2B%2B@1-r0?arch=x86_64&distro=3.22.2");
  EXPECT_EQ(deb_purl("isolinux", "3:6.04~git+dfsg1-3", "all", "debian", "12"),
            "pkg:deb/debian/isolinux@3:6.04~git%2Bdfsg1-3?arch=all&distro=debian-12");
  EXPECT_EQ(deb_purl("a/b?c", "1 2#", "amd64", "debian", ""), "pkg:deb/debian/a%2Fb%3Fc@1%202%23?arch=amd64");
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
