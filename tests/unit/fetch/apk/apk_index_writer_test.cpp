// Indexes of one's own: what they say of packages, and that our own strict reader takes them.
#include "builder/fetch/apk/repository/apk_index_writer.hpp"

#include <gtest/gtest.h>

#include "support/apk_maker.hpp"
#include "support/fetch_lab.hpp"

namespace imgforge::fetch {
namespace {

using testing::ApkKey;
using testing::ApkParts;
using testing::error_of;
using testing::FetchLab;

class IndexWriterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { key_ = std::make_unique<ApkKey>("own.rsa.pub"); }
  static void TearDownTestSuite() { key_.reset(); }

  /// A copy of the test's private key under the name that apk wants.
  std::filesystem::path private_key(const std::string& name = "own.rsa", unsigned mode = 0600) {
    const std::filesystem::path file = lab_.folder / name;
    std::filesystem::copy_file(key_->path().parent_path() / "secret.pem", file,
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
    return file;
  }
  IndexedPackage package(const ApkParts& parts, std::uint64_t time) {
    const std::string bytes = parts.bytes(*key_);
    IndexEntry entry;
    entry.name = parts.name;
    entry.version = parts.version;
    entry.arch = "x86_64";
    entry.size = bytes.size();
    entry.build_time = time;
    entry.identity = core::digest_of(core::HashAlgorithm::kSha1, parts.control_member());
    return {entry, lab_.blobs.put(bytes)};
  }
  Index read(const std::string& bytes) {
    return load_index(bytes, {{"own.rsa.pub", key_->pem()}}, "x86_64", "own");
  }

  static std::unique_ptr<ApkKey> key_;
  FetchLab lab_;
};

std::unique_ptr<ApkKey> IndexWriterTest::key_;

TEST_F(IndexWriterTest, SaysWhatThePackagesSay) {
  ApkParts tool;
  tool.name = "tool";
  tool.arch = "noarch";
  tool.pkginfo_more =
      "# made by hand\npkgdesc = a tool = of sorts\nurl = https://x/\nlicense = MIT\norigin = "
      "tools\nbuilddate = 77\n"
      "size = 4096\ndepend = so:libc.musl-x86_64.so.1\ndepend = !other\nprovides = cmd:tool=1.0-r0\n";
  const std::string bytes = make_signed_index({package(tool, 77), package(ApkParts{}, 99)}, "two packages",
                                              signing::ApkSigner(private_key()));
  const Index index = read(bytes);
  EXPECT_EQ(index.signer().key_name, "own.rsa.pub");
  EXPECT_EQ(index.signer().algorithm, core::HashAlgorithm::kSha256) << "the stronger of the two";
  EXPECT_EQ(index.edition().description, "two packages");
  EXPECT_EQ(index.edition().time, 99u);
  ASSERT_EQ(index.entries().size(), 2u);
  EXPECT_EQ(index.entries()[0].name, "hello");
  EXPECT_EQ(index.entries()[0].description, "unknown");
  const IndexEntry& entry = index.entries()[1];
  EXPECT_EQ(entry.arch, "x86_64") << "that of the folder";
  EXPECT_EQ(entry.description, "a tool = of sorts");
  EXPECT_EQ(entry.unpacked, 4096u);
  EXPECT_EQ(entry.build_time, 77u);
  EXPECT_EQ(entry.depends, (std::vector<std::string>{"so:libc.musl-x86_64.so.1", "!other"}));
  EXPECT_EQ(entry.provides, (std::vector<std::string>{"cmd:tool=1.0-r0"}));
  EXPECT_EQ(entry.identity, core::digest_of(core::HashAlgorithm::kSha1, tool.control_member()));
}

TEST_F(IndexWriterTest, EqualPackagesGiveEqualBytes) {
  const signing::ApkSigner signer(private_key());
  ApkParts other;
  other.name = "other";
  const std::string one = make_signed_index({package(ApkParts{}, 5), package(other, 6)}, "d", signer);
  const std::string two = make_signed_index({package(other, 6), package(ApkParts{}, 5)}, "d", signer);
  EXPECT_EQ(one, two);
}

TEST_F(IndexWriterTest, APackageThatIsNotWhatItIsCalledIsRefused) {
  IndexedPackage wrong = package(ApkParts{}, 1);
  wrong.entry.identity = core::digest_of(core::HashAlgorithm::kSha1, "x");
  const signing::ApkSigner signer(private_key());
  EXPECT_EQ(error_of([&] { make_signed_index({wrong}, "d", signer); }).kind(), core::Kind::kIntegrity);
}

TEST_F(IndexWriterTest, KeysThatAreNoneOrOpenToOthersAreRefused) {
  const auto refusal = [](const std::filesystem::path& file) {
    return error_of([&] { signing::ApkSigner signer(file); }).kind();
  };
  EXPECT_EQ(refusal(private_key("own.pem")), core::Kind::kUsage);
  EXPECT_EQ(refusal(private_key("open.rsa", 0644)), core::Kind::kPermission);
  const std::filesystem::path text = private_key("text.rsa");
  std::filesystem::copy_file(key_->path(), text, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::permissions(text, static_cast<std::filesystem::perms>(0600));
  EXPECT_EQ(refusal(text), core::Kind::kSignature) << "a public key";
}

}  // namespace
}  // namespace imgforge::fetch
