// Secure Boot keys: what is made, that nothing is overwritten, and that other people's tools make the same
// bytes and accept the signatures.
#include "signing/efi/secure_boot_keys.hpp"

#include <sys/stat.h>

#include "core/fd.hpp"
#include "signing/efi/efi_variables.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using testing::expect_error;

constexpr core::UnixTime kMade{std::chrono::seconds(1763600461)};  // 2025-11-20 01:01:01

std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

class SecureBootKeys : public testing::Scratch {
 protected:
  void make() const { create_secure_boot_keys(keys_, "alice", kMade); }
  std::string read(const char* name) const { return core::read_text_file(keys_ / name); }

  std::filesystem::path keys_ = folder_ / "alice.secure-boot";
};

TEST_F(SecureBootKeys, AFolderWithThreeKeysAppearsWhole) {
  const mode_t old = ::umask(0);
  make();
  ::umask(old);
  EXPECT_EQ(files_left(), 1U) << "a temporary folder stayed";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(keys_)) {
    ++count;
    struct stat status {};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, entry.path().extension() == ".key" ? 0600U : 0644U) << entry.path();
  }
  EXPECT_EQ(count, 13U);
  struct stat status {};
  ASSERT_EQ(::stat(keys_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  EXPECT_NO_THROW(parse_guid(read("owner.guid").substr(0, 36)));
}

TEST_F(SecureBootKeys, OpensslReadsThem) {
  make();
  for (const std::string name : {"PK", "KEK", "db"}) {
    const std::string stem = keys_ / name;
    EXPECT_EQ(run("openssl", {"verify", "-CAfile", stem + ".crt", stem + ".crt"}).exit_code, 0);
    const std::string text = run("openssl", {"x509", "-in", stem + ".crt", "-noout", "-text"}).out;
    EXPECT_NE(text.find("Public-Key: (2048 bit)"), std::string::npos) << text;
    EXPECT_NE(text.find("CN = alice Secure Boot " + name), std::string::npos) << text;
    EXPECT_NE(text.find("Not Before: Nov 19 01:01:01 2025"), std::string::npos) << text;
    EXPECT_NE(text.find("Not After : Nov 14 01:01:01 2045"), std::string::npos) << text;
    EXPECT_EQ(run("openssl", {"x509", "-in", stem + ".crt", "-outform", "DER"}).out,
              core::read_text_file(stem + ".cer"));
    EXPECT_EQ(run("openssl", {"pkey", "-in", stem + ".key", "-pubout"}).out,
              run("openssl", {"x509", "-in", stem + ".crt", "-pubkey", "-noout"}).out);
  }
}

TEST_F(SecureBootKeys, NothingIsOverwritten) {
  make();
  const std::string before = read("db.key");
  expect_error(Kind::kUsage, "exists already", [&] { make(); });
  EXPECT_EQ(read("db.key"), before);
  EXPECT_EQ(files_left(), 1U);
  std::filesystem::create_symlink("nowhere", folder_ / "link.secure-boot");
  expect_error(Kind::kUsage, "exists already",
               [&] { create_secure_boot_keys(folder_ / "link.secure-boot", "link", kMade); });
  for (const char* name : {"", ".hidden", "-flag", "a/b", "a b", "a\nb"}) {
    expect_error(Kind::kUsage, "cannot be the name",
                 [&] { create_secure_boot_keys(folder_ / "other", name, kMade); });
  }
  EXPECT_EQ(files_left(), 2U);
}

/// RSA signatures of PKCS #1 v1.5 are deterministic, so efitools must make the same bytes.
TEST_F(SecureBootKeys, EfitoolsMakeTheSameVariables) {
  make();
  const std::string guid = read("owner.guid").substr(0, 36);
  const std::pair<std::string, std::string> signers[] = {{"PK", "PK"}, {"KEK", "PK"}, {"db", "KEK"}};
  for (const auto& [name, signer] : signers) {
    const std::string stem = keys_ / name;
    ASSERT_EQ(run("cert-to-efi-sig-list", {"-g", guid, stem + ".crt", name + ".esl"}).exit_code, 0);
    const core::ProcessResult made =
        run("sign-efi-sig-list", {"-t", "2025-11-20 01:01:01", "-k", keys_ / (signer + ".key"), "-c",
                                  keys_ / (signer + ".crt"), name, name + ".esl", name + ".auth"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    EXPECT_TRUE(core::read_text_file(folder_ / (name + ".auth")) == core::read_text_file(stem + ".auth"))
        << name;
  }
}

TEST_F(SecureBootKeys, SignaturesAreDeterministic) {
  make();
  const EfiSigner signer = load_program_signer(keys_);
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, "program");
  EXPECT_EQ(text_of(signer.sign_program(digest)), text_of(load_program_signer(keys_).sign_program(digest)));
  EXPECT_NE(text_of(signer.sign_program(digest)),
            text_of(signer.sign_program(core::digest_of(core::HashAlgorithm::kSha256, "other"))));
  expect_error(Kind::kInternal, "SHA-256",
               [&] { signer.sign_program(core::digest_of(core::HashAlgorithm::kSha512, "program")); });
}

TEST_F(SecureBootKeys, UnusableKeysAreRefused) {
  make();
  expect_error(Kind::kSignature, "does not belong to the key",
               [&] { EfiSigner::load(keys_ / "db.key", keys_ / "KEK.crt"); });
  expect_error(Kind::kSignature, "is no PEM certificate",
               [&] { EfiSigner::load(keys_ / "db.key", keys_ / "owner.guid"); });
  std::filesystem::permissions(keys_ / "db.key", std::filesystem::perms(0644));
  expect_error(Kind::kPermission, "", [&] { load_program_signer(keys_); });
  const auto other = write("other.key", "not a key", 0600);
  expect_error(Kind::kSignature, "is no PEM key", [&] { EfiSigner::load(other, keys_ / "db.crt"); });
  ASSERT_EQ(run("openssl", {"genrsa", "-out", "small.key", "1024"}).exit_code, 0);
  std::filesystem::permissions(folder_ / "small.key", std::filesystem::perms(0600));
  expect_error(Kind::kSignature, "2048 bits",
               [&] { EfiSigner::load(folder_ / "small.key", keys_ / "db.crt"); });
  const std::string encrypted =
      run("openssl", {"pkey", "-in", keys_ / "KEK.key", "-aes256", "-passout", "pass:x"}).out;
  const auto locked = write("locked.key", encrypted, 0600);
  expect_error(Kind::kSignature, "is encrypted", [&] { EfiSigner::load(locked, keys_ / "KEK.crt"); });
}

TEST(EfiGuid, MixedEndian) {
  const EfiGuid guid = parse_guid("8be4df61-93ca-11D2-aa0d-00e098032b8c");
  EXPECT_EQ(core::to_hex(guid), "61dfe48bca93d211aa0d00e098032b8c");
  for (const char* wrong : {"", "8be4df61-93ca-11D2-aa0d-00e098032b8", "8be4df61x93ca-11D2-aa0d-00e098032b8c",
                            "8be4df6g-93ca-11D2-aa0d-00e098032b8c"}) {
    expect_error(Kind::kSignature, "is no GUID", [&] { parse_guid(wrong); });
  }
}

}  // namespace
}  // namespace imgforge::signing
