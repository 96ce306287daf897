#include "builder/sbom/difference.hpp"

#include <gmock/gmock.h>

namespace imgforge::sbom {
namespace {

using artifacts::Change;
using artifacts::DiffRow;
using artifacts::Manifest;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

void add_package(Manifest& manifest, const std::string& name, const std::string& version,
                 const std::string& licence) {
  artifacts::ManifestPackage package;
  package.name = name;
  package.version = version;
  package.licence = licence;
  manifest.packages.push_back(package);
}

void add_model(Manifest& manifest, const std::string& content, const std::string& licence) {
  artifacts::ManifestModel model;
  model.name = "tiny";
  model.version = "v1";
  model.licence = licence;
  model.sha256 = core::digest_of(core::HashAlgorithm::kSha256, content);
  manifest.models.push_back(model);
}

TEST(Difference, NamesVersionsThatCameWentAndMoved) {
  Manifest before;
  Manifest after;
  add_package(before, "gone", "1-r0", "MIT");
  add_package(before, "moved", "1-r0", "MIT");
  add_package(before, "same", "1-r0", "MIT");
  add_package(after, "moved", "2-r0", "MIT");
  add_package(after, "new", "1-r0", "GPL-2.0-only");
  add_package(after, "same", "1-r0", "MIT");
  const Difference found = difference(before, after);
  EXPECT_THAT(found.packages, ElementsAre(DiffRow{"gone", "1-r0", "", Change::kRemoved},
                                          DiffRow{"moved", "1-r0", "2-r0", Change::kChanged},
                                          DiffRow{"new", "", "1-r0", Change::kAdded}));
  EXPECT_THAT(found.licences, IsEmpty()) << "what one side alone has is no change of a licence";
}

TEST(Difference, NamesLicencesThatChangedUnderOneVersion) {
  Manifest before;
  Manifest after;
  add_package(before, "busybox", "1-r0", "GPL-2.0-only");
  add_package(after, "busybox", "1-r0", "BUSL-1.1");
  add_model(before, "weights", "MIT");
  add_model(after, "weights", "proprietary");
  const Difference found = difference(before, after);
  EXPECT_THAT(found.packages, IsEmpty());
  EXPECT_THAT(found.licences, ElementsAre(DiffRow{"busybox", "GPL-2.0-only", "BUSL-1.1", Change::kChanged},
                                          DiffRow{"model tiny", "MIT", "proprietary", Change::kChanged}));
  EXPECT_THAT(found.models, IsEmpty());
}

TEST(Difference, NamesModelsWithOtherBytesUnderOneVersion) {
  Manifest before;
  Manifest after;
  add_model(before, "weights", "MIT");
  add_model(after, "other weights", "MIT");
  const Difference found = difference(before, after);
  EXPECT_THAT(found.models,
              ElementsAre(DiffRow{"tiny", "v1, sha256 " + before.models[0].sha256.hex(),
                                  "v1, sha256 " + after.models[0].sha256.hex(), Change::kChanged}));
  EXPECT_THAT(found.licences, IsEmpty());
}

TEST(Difference, NamesBootLoadersAndKernelsThatAreOthers) {
  const auto sha256 = [](const char* text) { return core::digest_of(core::HashAlgorithm::kSha256, text); };
  Inventory before;
  before.components = {{"boot loader", "isolinux.bin", "3", "isolinux", "", "", sha256("a")},
                       {"kernel", "linux", "6.6.1", "", "", "", sha256("b")},
                       {"program", "busybox", "", "", "", "", sha256("c")}};
  Inventory after = before;
  after.components[1] = {"kernel", "linux", "6.6.2", "", "", "", sha256("d")};
  after.components.pop_back();
  EXPECT_THAT(difference({}, {}, before, after).components,
              ElementsAre(DiffRow{"kernel linux", "6.6.1, sha256 " + sha256("b").hex(),
                                  "6.6.2, sha256 " + sha256("d").hex(), Change::kChanged},
                          DiffRow{"program busybox", "sha256 " + sha256("c").hex(), "", Change::kRemoved}));
  EXPECT_THAT(difference({}, {}, {}, after).components, IsEmpty()) << "an older release tells none";
}

}  // namespace
}  // namespace imgforge::sbom
