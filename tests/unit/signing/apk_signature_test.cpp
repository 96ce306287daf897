// RSA signatures of Alpine v2 files: made with the openssl program, and the real ones of Alpine's own index.
#include "signing/apk/apk_signature.hpp"

#include "core/fd.hpp"
#include "signing_testing.hpp"
#include "support/source_dir.hpp"

namespace imgforge::signing {
namespace {

using core::HashAlgorithm;
using core::Kind;
using testing::expect_error;

constexpr std::string_view kName = "tester@example.org-5f2b8c01.rsa.pub";

class ApkSignatures : public testing::Scratch {
 protected:
  void SetUp() override {
    if (core::find_program("openssl").empty()) GTEST_SKIP() << "the openssl program is not installed";
  }
  std::string make_key(const std::string& stem, const std::string& bits = "2048") {
    const auto made = run("openssl", {"genrsa", "-out", stem + ".rsa", bits});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return run("openssl", {"rsa", "-in", stem + ".rsa", "-pubout"}).out;
  }
  std::string sign(const std::string& stem, const std::string& hash) {
    write("data", data_);
    const auto made =
        run("openssl", {"dgst", "-" + hash, "-sign", stem + ".rsa", "-out", "data.sig", "data"});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return core::read_text_file(folder_ / "data.sig");
  }
  static ApkSignatureEntry entry(std::string_view prefix, std::string bytes, std::string_view name = kName) {
    return {std::string(prefix) + std::string(name), std::move(bytes)};
  }

  std::string data_ = std::string("\x1f\x8b the raw compressed bytes \0 of a member", 42);
};

TEST_F(ApkSignatures, AllThreeAlgorithms) {
  const ApkKeys keys = {{std::string(kName), make_key("a")}};
  struct Row {
    std::string_view prefix;
    std::string hash;
    HashAlgorithm algorithm;
  };
  for (const Row& row : {Row{".SIGN.RSA.", "sha1", HashAlgorithm::kSha1},
                         Row{".SIGN.RSA256.", "sha256", HashAlgorithm::kSha256},
                         Row{".SIGN.RSA512.", "sha512", HashAlgorithm::kSha512}}) {
    const std::string bytes = sign("a", row.hash);
    const ApkSignature good = verify_apk_signature(entry(row.prefix, bytes), core::as_bytes(data_), keys);
    EXPECT_EQ(good.key_name, kName);
    EXPECT_EQ(good.algorithm, row.algorithm);
    // The same signature under another algorithm's name is another claim.
    const std::string_view wrong = row.prefix == ".SIGN.RSA." ? ".SIGN.RSA256." : ".SIGN.RSA.";
    expect_error(Kind::kSignature, "bad RSA-",
                 [&] { verify_apk_signature(entry(wrong, bytes), core::as_bytes(data_), keys); });
  }
}

TEST_F(ApkSignatures, WeakAlgorithmCanBeRefused) {
  const ApkKeys keys = {{std::string(kName), make_key("a")}};
  const std::array entries = {entry(".SIGN.RSA.", sign("a", "sha1")),
                              entry(".SIGN.RSA256.", sign("a", "sha256"))};
  EXPECT_EQ(verify_apk_signatures(entries, core::as_bytes(data_), keys).algorithm, HashAlgorithm::kSha256);
  expect_error(Kind::kSignature, "RSA-SHA1 signature where RSA-SHA256", [&] {
    verify_apk_signatures(std::span(entries).first(1), core::as_bytes(data_), keys, HashAlgorithm::kSha256);
  });
  EXPECT_NO_THROW(verify_apk_signatures(entries, core::as_bytes(data_), keys, HashAlgorithm::kSha256));
}

TEST_F(ApkSignatures, EveryChangedBitIsRefused) {
  const ApkKeys keys = {{std::string(kName), make_key("a")}};
  const std::string bytes = sign("a", "sha256");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    expect_error(Kind::kSignature, "bad RSA-SHA256",
                 [&] { verify_apk_signature(entry(".SIGN.RSA256.", changed), core::as_bytes(data_), keys); });
  }
  for (std::size_t i = 0; i < data_.size(); ++i) {
    std::string changed = data_;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    expect_error(Kind::kSignature, "bad RSA-SHA256",
                 [&] { verify_apk_signature(entry(".SIGN.RSA256.", bytes), core::as_bytes(changed), keys); });
  }
  for (const std::string& wrong : {std::string(), bytes + "x", bytes.substr(1), std::string(1 << 20, 'x')}) {
    expect_error(Kind::kSignature, "bad RSA-SHA256",
                 [&] { verify_apk_signature(entry(".SIGN.RSA256.", wrong), core::as_bytes(data_), keys); });
  }
}

TEST_F(ApkSignatures, UnknownKeyIsNamedWithTheKnownOnes) {
  const std::string pem = make_key("a");
  const ApkKeys keys = {{"one.rsa.pub", pem}, {"two.rsa.pub", pem}};
  const std::array entries = {entry(".SIGN.RSA.", sign("a", "sha1"))};
  expect_error(Kind::kSignature,
               std::string(kName) + ", which is not trusted (trusted: one.rsa.pub, two.rsa.pub)",
               [&] { verify_apk_signatures(entries, core::as_bytes(data_), keys); });
  expect_error(Kind::kSignature, "(trusted: none)",
               [&] { verify_apk_signatures(entries, core::as_bytes(data_), {}); });
  expect_error(Kind::kSignature, "not signed",
               [&] { verify_apk_signatures({}, core::as_bytes(data_), keys); });
}

TEST_F(ApkSignatures, BadSignatureByKnownKeyIsNotOutvoted) {
  const ApkKeys keys = {{std::string(kName), make_key("a")}};
  const std::string good = sign("a", "sha256");
  const std::array entries = {entry(".SIGN.RSA256.", good), entry(".SIGN.RSA.", good)};
  expect_error(Kind::kSignature, "bad RSA-SHA1",
               [&] { verify_apk_signatures(entries, core::as_bytes(data_), keys); });
  const std::array with_stranger = {entry(".SIGN.RSA.", "junk", "stranger.rsa.pub"),
                                    entry(".SIGN.RSA256.", good)};
  EXPECT_EQ(verify_apk_signatures(with_stranger, core::as_bytes(data_), keys).key_name, kName);
}

TEST_F(ApkSignatures, KeyNamesFromTheNetworkArePlain) {
  for (const std::string_view name : {"", "../../../tmp/k.pub", "a/b.rsa.pub", "/etc/passwd", "..", ".",
                                      ".hidden", "a\nb", "a b", "a\\b", "\xc3\xa4.rsa.pub"}) {
    for (const std::string_view prefix : {".SIGN.RSA.", ".SIGN.RSA256.", ".SIGN.RSA512."}) {
      expect_error(Kind::kSignature, "bad key name",
                   [&] { parse_apk_signature_name(std::string(prefix) + std::string(name)); });
    }
  }
  expect_error(Kind::kSignature, "bad key name",
               [&] { parse_apk_signature_name(".SIGN.RSA." + std::string(300, 'x')); });
  for (const std::string_view other : {"", "APKINDEX", ".SIGN.DSA.a.pub", ".SIGN.RSA1.a.pub", ".SIGN.RSA"}) {
    expect_error(Kind::kSignature, "no RSA signature entry", [&] { parse_apk_signature_name(other); });
  }
}

TEST_F(ApkSignatures, UnusableKeysAreRefused) {
  const std::string small = make_key("small", "1024");
  const std::string good = make_key("a");
  const std::string secret = core::read_text_file(folder_ / "a.rsa");
  std::string encrypted = good;
  encrypted.insert(encrypted.find('\n') + 1,
                   "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n");
  struct Row {
    std::string pem;
    std::string_view message;
  };
  for (const Row& row : {Row{small, "1024 bits are too few"}, Row{secret, "not the PEM text"},
                         Row{"", "not the PEM text"}, Row{"junk", "not the PEM text"},
                         Row{encrypted, "not the PEM text"}, Row{std::string(1 << 20, 'x'), "too large"}}) {
    expect_error(Kind::kSignature, row.message, [&] { check_apk_key(kName, row.pem); });
  }
  EXPECT_NO_THROW(check_apk_key(kName, good));
}

TEST_F(ApkSignatures, KeysForEcdsaAreForApk3Only) {
  const auto key_on = [&](const std::string& curve) {
    EXPECT_EQ(run("openssl", {"ecparam", "-name", curve, "-genkey", "-noout", "-out", "ec.pem"}).exit_code,
              0);
    return run("openssl", {"ec", "-in", "ec.pem", "-pubout"}).out;
  };
  const std::string good = key_on("prime256v1");
  EXPECT_NO_THROW(check_apk_key(kName, good));
  expect_error(Kind::kSignature, "not an RSA key", [&] {
    verify_apk_signature(entry(".SIGN.RSA.", "x"), core::as_bytes(data_), {{std::string(kName), good}});
  });
  expect_error(Kind::kSignature, "224 bits are too few", [&] { check_apk_key(kName, key_on("secp224r1")); });
  EXPECT_EQ(run("openssl", {"genpkey", "-algorithm", "ed25519", "-out", "ed.pem"}).exit_code, 0);
  expect_error(Kind::kSignature, "neither an RSA key nor one for ECDSA", [&] {
    check_apk_key(kName, run("openssl", {"pkey", "-in", "ed.pem", "-pubout"}).out);
  });
}

TEST_F(ApkSignatures, KeyFolder) {
  write("a.rsa.pub", make_key("a"));
  write("README", "no key");
  const ApkKeys keys = load_apk_keys(folder_.path());
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys.contains("a.rsa.pub"));
  write("b.rsa.pub", "junk");
  expect_error(Kind::kSignature, "unusable key b.rsa.pub", [&] { load_apk_keys(folder_.path()); });
  expect_error(Kind::kIo, "cannot read key folder", [&] { load_apk_keys(folder_ / "missing"); });
}

TEST(ApkKeyShortId, IsTheHexOfTheName) {
  EXPECT_EQ(apk_key_short_id("alpine-devel@lists.alpinelinux.org-6165ee59.rsa.pub"), "6165ee59");
  EXPECT_EQ(apk_key_short_id("imgforge-test.rsa.pub"), "imgforge-test");
  EXPECT_EQ(apk_key_short_id("plain"), "plain");
  EXPECT_EQ(apk_key_short_id(""), "");
}

/// Alpine's own index of 3.19 with the keys that its alpine-keys package carries.
class AlpineIndex : public testing::Scratch {
 protected:
  void SetUp() override {
    material_ = alpine_material();
    if (!std::filesystem::exists(material_ / "data/index/v3.19-main.APKINDEX.tar.gz")) {
      GTEST_SKIP() << "Alpine's index is not in " << material_ << " (set IMGFORGE_TEST_ALPINE)";
    }
  }
  std::filesystem::path material_;
};

TEST_F(AlpineIndex, IsSignedByAlpine) {
  const auto apk = material_ / "data/apks/x86_64/alpine-keys-2.4-r1.apk";
  run("tar", {"-xzf", apk.native(), "usr/share/apk/keys"});
  ASSERT_TRUE(std::filesystem::exists(folder_ / "usr/share/apk/keys/x86_64"));
  const ApkKeys keys = load_apk_keys(folder_ / "usr/share/apk/keys");
  ASSERT_GE(keys.size(), 4U);
  for (const std::string branch : {"main", "community"}) {
    const std::string index =
        core::read_text_file(material_ / ("data/index/v3.19-" + branch + ".APKINDEX.tar.gz"), 8 << 20);
    // The signature is a gzip member of its own: the next gzip header begins what it signs.
    const std::size_t split = index.find(std::string_view("\x1f\x8b\x08", 3), 3);
    ASSERT_NE(split, std::string::npos);
    const std::string tar = run("gzip", {"-dc"}, index.substr(0, split)).out;
    ASSERT_GE(tar.size(), 1024U);
    const auto size = std::stoul(tar.substr(124, 11), nullptr, 8);
    const ApkSignatureEntry entry{tar.substr(0, tar.find('\0')), tar.substr(512, size)};
    std::string data = index.substr(split);
    const ApkSignature good = verify_apk_signature(entry, core::as_bytes(data), keys);
    EXPECT_EQ(apk_key_short_id(good.key_name), "6165ee59");
    EXPECT_EQ(apk_algorithm_name(good.algorithm), "RSA-SHA1");
    data[4] = static_cast<char>(data[4] ^ 1);  // only a time in the gzip header
    expect_error(Kind::kSignature, "bad RSA-SHA1",
                 [&] { verify_apk_signature(entry, core::as_bytes(data), keys); });
  }
}

}  // namespace
}  // namespace imgforge::signing
