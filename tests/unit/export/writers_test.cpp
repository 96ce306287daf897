// The files that stock clients read, as text. That the clients themselves read them is shown by
// tests/functional/export.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/export/incus_metadata.hpp"
#include "builder/export/latest_releases.hpp"
#include "builder/export/simplestreams.hpp"
#include "builder/export/virt_builder_index.hpp"
#include "core/json.hpp"
#include "unit/export/catalogue_fixture.hpp"

namespace imgforge::exports {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::artifact;
using testing_support::catalogue;
using testing_support::release;

TEST(VirtBuilderIndex, SaysWhatTheFileIs) {
  const Catalogue all = catalogue();
  const std::string text = print_virt_builder_index(all);
  const artifacts::ManifestArtifact& disk = all.lines[0].releases[0].manifest.artifacts[0];
  EXPECT_TRUE(text.starts_with("[hello-minimal]\nname=hello-minimal v20261120.1\nosinfo=alpinelinux3.22\n"));
  EXPECT_THAT(text, HasSubstr("\nfile=releases/hello-minimal/v20261120.1/hello-minimal-v20261120.1.qcow2\n"));
  EXPECT_THAT(text, HasSubstr("\nchecksum[sha512]=" + disk.sha512.hex() + "\n"));
  EXPECT_THAT(text, HasSubstr("\nformat=qcow2\nsize=1073741824\ncompressed_size=30000000\n"));
  EXPECT_THAT(text, HasSubstr("\nrevision=202611200001\n"));
}

TEST(VirtBuilderIndex, HidesOlderReleasesUnderTheirVersion) {
  const std::string text = print_virt_builder_index(catalogue());
  const std::size_t older = text.find("[hello-minimal-v20261119]");
  ASSERT_NE(older, std::string::npos);
  EXPECT_EQ(text.find("hidden=true"), text.rfind("hidden=true"));
  EXPECT_GT(text.find("hidden=true"), older);
}

TEST(VirtBuilderIndex, LeavesOutWhatHasNoDisk) {
  Catalogue all = catalogue();
  for (Release& one : all.lines[0].releases) one.manifest.artifacts.erase(one.manifest.artifacts.begin());
  EXPECT_EQ(print_virt_builder_index(all), "");
}

TEST(VirtBuilderIndex, NamesOfSectionsAreUnique) {
  // A line whose name is that of an older release of another line, and one whose name has a '+'.
  Catalogue all = catalogue();
  Release twin = release("hello", "v1", "2026-11-20T00:00:00Z");
  twin.manifest.name = "hello-minimal";
  twin.manifest.profile = "v20261119";
  all.lines.push_back({"hello-minimal-v20261119", {twin}});
  all.lines.push_back({"a+b", {twin}});
  const std::string text = print_virt_builder_index(all);
  EXPECT_THAT(text, HasSubstr("[hello-minimal-v20261119]\n"));
  EXPECT_THAT(text, HasSubstr("[hello-minimal-v20261119_]\n"));
  EXPECT_THAT(text, HasSubstr("[a_b]\n"));
}

TEST(SimpleStreams, VersionsBeginWithTheDayAndSortAsText) {
  artifacts::Manifest manifest = release("x", "v20261120.9", "2026-11-20T00:00:00Z").manifest;
  EXPECT_EQ(stream_version(manifest), "20261120.0009");
  manifest.version = "v20261120.10";
  EXPECT_EQ(stream_version(manifest), "20261120.0010");
  manifest.version = "v20261120";
  EXPECT_EQ(stream_version(manifest), "20261120");
  manifest.version = "1.4.2";
  EXPECT_EQ(stream_version(manifest), "20261120_1.4.2");
}

TEST(SimpleStreams, ListsEveryVersionWithItsDisk) {
  Catalogue all = catalogue();
  all.lines[0].releases[0].incus = IncusMetadata{
      "streams/incus/x.tar.xz", 300, testing_support::digest(core::HashAlgorithm::kSha256, "meta"),
      testing_support::digest(core::HashAlgorithm::kSha256, "both")};
  const core::Json images = core::parse_json(print_streams_images(all), "images");
  const core::Json& product = images.at("products").at("hello-minimal:x86_64");
  EXPECT_EQ(product.at("arch"), "x86_64");
  EXPECT_EQ(product.at("versions").size(), 2U);
  const core::Json& items = product.at("versions").at("20261120.0001").at("items");
  EXPECT_EQ(items.at("disk.img").at("ftype"), "disk-kvm.img");
  EXPECT_EQ(items.at("disk.img").at("size"), 30'000'000);
  EXPECT_EQ(items.at("incus.tar.xz").at("combined_disk-kvm-img_sha256"),
            testing_support::digest(core::HashAlgorithm::kSha256, "both").hex());
}

TEST(SimpleStreams, ASignedIndexNamesTheSignedList) {
  const core::Json plain = core::parse_json(print_streams_index(catalogue(), StreamForm::kPlain), "index");
  const core::Json clear = core::parse_json(print_streams_index(catalogue(), StreamForm::kSigned), "index");
  EXPECT_EQ(plain.at("index").at("images").at("path"), "streams/v1/images.json");
  EXPECT_EQ(clear.at("index").at("images").at("path"), "streams/v1/images.sjson");
  EXPECT_EQ(plain.at("updated"), "2026-11-20T01:02:03Z");
}

TEST(IncusMetadata, DependsOnTheManifestAlone) {
  const artifacts::Manifest manifest = catalogue().lines[0].releases[0].manifest;
  const std::string once = make_incus_metadata(manifest);
  EXPECT_EQ(once, make_incus_metadata(manifest));
  EXPECT_EQ(once.substr(0, 6), std::string_view("\xfd"
                                                "7zXZ\0",
                                                6));
}

TEST(LatestReleases, HasAnEntryForEachCurrentImage) {
  Catalogue all = catalogue();
  artifacts::ManifestArtifact map = artifact("hello-minimal-v20261120.1-usb.img.bmap", "usb", 100);
  map.media["role"] = "bmap";
  all.lines[0].releases[0].manifest.artifacts.push_back(map);
  const std::string text = print_latest_releases(all);
  EXPECT_THAT(text, HasSubstr("  branch: \"v3.22\"\n"));
  EXPECT_THAT(text, HasSubstr("  version: \"v20261120.1\"\n  flavor: \"hello-minimal\"\n"));
  EXPECT_THAT(text, HasSubstr("  date: \"2026-11-20\"\n  time: \"01:02:03\"\n"));
  EXPECT_THAT(text, Not(HasSubstr("v20261119")));
  EXPECT_THAT(text, Not(HasSubstr("bmap")));
}

}  // namespace
}  // namespace imgforge::exports
