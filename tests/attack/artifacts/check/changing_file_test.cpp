// A file that changes between the check of its digest and the look into it.
#include <gmock/gmock.h>

#include "unit/artifacts/release_fixture.hpp"

namespace imgforge::artifacts {
namespace {

using testing::HasSubstr;
using namespace testing_support;

class ChangingFile : public StoreTest {
 protected:
  /// The last row of a verification while whose content check `change` runs.
  CheckRow last_row(const std::function<void(const fs::path&)>& change) {
    const PublishResult made = publish("bytes");
    VerifyOptions options = strict_options();
    options.content = [&](const fs::path& file, const ManifestArtifact& artifact, const Manifest&) {
      change(file);
      return std::vector<CheckRow>{{artifact.file, "content", true, "as listed", {}, {}}};
    };
    for (const CheckRow& row : verify_release(made.directory, options).rows) {
      if (!row.ok) return row;
    }
    return {"", "", true, "nothing was refused", {}, {}};
  }
};

TEST_F(ChangingFile, StaysAsItIs) {
  EXPECT_TRUE(last_row([](const fs::path&) {}).ok);
}

TEST_F(ChangingFile, IsWrittenTo) {
  const CheckRow row = last_row([](const fs::path& file) {
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    core::write_all(core::open_file(file, O_WRONLY).get(), "B", file.native());
  });
  EXPECT_EQ(row.reason, core::Reason::kDigestMismatch);
  EXPECT_THAT(row.detail, HasSubstr("changed while it was verified"));
}

TEST_F(ChangingFile, IsExchangedForOneOfTheSameSizeAndTime) {
  const CheckRow row = last_row([](const fs::path& file) {
    const auto time = fs::last_write_time(file);
    const fs::path other = file.native() + ".new";
    write(other, std::string(fs::file_size(file), 'x'));
    fs::last_write_time(other, time);
    fs::rename(other, file);
  });
  EXPECT_EQ(row.reason, core::Reason::kDigestMismatch);
}

TEST_F(ChangingFile, IsTakenAway) {
  EXPECT_EQ(last_row([](const fs::path& file) { fs::remove(file); }).reason, core::Reason::kDigestMismatch);
}

}  // namespace
}  // namespace imgforge::artifacts
