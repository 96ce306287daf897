// What is verified is what is used: files of a release that change between the look and the use.

#include "builder/derive/source.hpp"

#include "unit/artifacts/release_fixture.hpp"
#include "unit/steps/steps_lab.hpp"

namespace imgforge::derive {
namespace {

using artifacts::ManifestArtifact;
namespace store = artifacts::testing_support;
namespace fs = std::filesystem;

class DerivedFrom : public steps::testing::StepsLab {
 protected:
  DerivedFrom() {
    artifacts::Store::create(folder_ / "out").publish(store::request_for(folder_.path(), "one"));
    request_.source = {"hello-minimal", "v20261120", folder_ / "out/releases/hello-minimal/v20261120"};
    request_.signature = store::toy_check;
    fs::create_directory(folder_ / "work");
  }
  Source source() { return {tools_, request_, folder_ / "work"}; }
  fs::path file() const { return request_.source.directory / "hello-minimal-v20261120.qcow2"; }
  /// As somebody does who may write to the store.
  void swap() const {
    fs::remove(file());
    store::write(file(), "qcow2 evil" + std::string(30000, 'q'));
  }
  DeriveRequest request_;
};

TEST_F(DerivedFrom, AFileThatWasSwappedAfterTheLookIsNotUsed) {
  const Source verified = source();
  const ManifestArtifact& artifact = *verified.find("qcow2");
  swap();
  try {
    verified.take(artifact);
    ADD_FAILURE() << "the swapped file was used";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << error.message();
  }
  EXPECT_TRUE(fs::is_empty(folder_ / "work"));
}

TEST_F(DerivedFrom, AFileThatIsSwappedAfterItWasTakenChangesNothing) {
  const Source verified = source();
  const ManifestArtifact& artifact = *verified.find("qcow2");
  const TakenFile taken = verified.take(artifact);
  swap();
  EXPECT_EQ(core::digest_of_file(core::HashAlgorithm::kSha256, taken.path()), artifact.sha256);
  EXPECT_EQ(verified.take(artifact).path(), taken.path());
}

}  // namespace
}  // namespace imgforge::derive
