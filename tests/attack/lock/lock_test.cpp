// Locks that somebody wrote by hand: nothing out of them may name another file, another scheme or a package
// that is not there.
#include "builder/lock/lock.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"

namespace imgforge::lock {
namespace {

const std::string kHex(64, 'a');

std::string text_with(const std::string& from, const std::string& to) {
  std::string text = R"({"version": "v1", "config": {"name": "demo.yaml"},
 "contents": {"repositories": [{"name": "main", "url": "https://m.example/i", "architecture": "x86_64", "checksum": "sha256-HEX"}],
  "packages": [{"name": "jq", "version": "1.7-r0", "architecture": "x86_64", "repository": "main", "url": "https://m.example/jq.apk",
   "checksum": "Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sha256": "HEX", "size": 7, "build_time": 1}]},
 "bases": [{"flavor": "minirootfs", "version": "3.22.2", "branch": "v3.22", "architecture": "x86_64", "url": "https://m.example/b",
  "checksum": "sha256-HEX", "size": 9}],
 "profiles": [{"name": "", "asked": {"base": "alpine", "repositories": ["main"], "add": ["jq"], "remove": [], "models": []}, "base": 0,
  "packages": ["install jq 1.7-r0"]}],
 "models": [{"schema": 1, "name": "tiny", "version": "1", "source": "https://m.example/tiny.gguf", "revision": "", "licence": "",
  "files": [{"path": "tiny.gguf", "role": "model", "sha256": "HEX", "size": 4, "urls": ["https://m.example/tiny.gguf"]}],
  "summary": {"format": "gguf", "size": 4, "tensors": 0, "types": [], "notes": {}, "warnings": []}, "when": "build"}],
 "tools": {"mke2fs": "1.47"}})";
  for (std::size_t at = text.find("HEX"); at != std::string::npos; at = text.find("HEX"))
    text.replace(at, 3, kHex);
  if (!from.empty()) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  return text;
}

void refused(const std::string& from, const std::string& to, const std::string& says) {
  try {
    parse_lock(text_with(from, to), "demo.lock.json");
    ADD_FAILURE() << "accepted " << to;
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << error.message();
    EXPECT_NE(error.message().find(says), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("demo.lock.json"), std::string::npos) << error.message();
  }
}

TEST(LockAttack, TheExampleItselfIsRead) {
  EXPECT_EQ(parse_lock(text_with("", ""), "demo.lock.json").packages.size(), 1U);
}

TEST(LockAttack, NamesThatLeadElsewhere) {
  refused("\"name\": \"jq\"", "\"name\": \"../jq\"", "package 1");
  refused("\"version\": \"1.7-r0\"", "\"version\": \"1/../7\"", "version");
  refused("\"branch\": \"v3.22\"", "\"branch\": \"../..\"", "branch");
  refused("\"flavor\": \"minirootfs\"", "\"flavor\": \"a/b\"", "flavor");
  refused("\"architecture\": \"x86_64\", \"repository\"", "\"architecture\": \"..\", \"repository\"",
          "architecture");
  refused("install jq 1.7-r0", "install ../jq 1.7-r0", "not a step");
}

TEST(LockAttack, AddressesThatAreNone) {
  refused("https://m.example/jq.apk", "gopher://m.example/jq.apk", "package 1");
  refused("https://m.example/jq.apk", "https://m.example/a b", "package 1");
  refused("https://m.example/b", "", "base 1");
}

TEST(LockAttack, Models) {
  refused("\"path\": \"tiny.gguf\"", "\"path\": \"../tiny.gguf\"", "model 1");
  refused("\"name\": \"tiny\"", "\"name\": \"../tiny\"", "model 1");
  refused("\"version\": \"1\", \"source\"", "\"version\": \"..\", \"source\"", "model 1");
  refused("\"when\": \"build\"", "\"when\": \"never\"", "when");
  refused("\"role\": \"model\", \"sha256\": \"" + kHex + "\"", "\"role\": \"model\"", "no digest");
}

TEST(LockAttack, DigestsThatAreNone) {
  refused("\"sha256\": \"" + kHex, "\"sha256\": \"aa", "package 1");
  refused("Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "Q2AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "package 1");
  refused("Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "Q1AAAA", "package 1");
  refused("\"checksum\": \"sha256-" + kHex + "\", \"size\": 9", "\"checksum\": \"" + kHex + "\", \"size\": 9",
          "sha256-");
}

TEST(LockAttack, Contradictions) {
  refused("install jq 1.7-r0", "install jq 1.8-r0", "not among the packages");
  refused("install jq 1.7-r0", "obliterate jq 1.7-r0", "not a step");
  refused("\"base\": 0", "\"base\": 1", "list of bases");
  refused("\"base\": 0", "\"base\": -1", "not a number");
  refused("\"version\": \"v1\"", "\"version\": \"v2\"", "version");
  refused("\"size\": 7", "\"size\": \"7\"", "not a number");
  refused("\"packages\": [\"install", "\"packages\": [7, \"install", "not a text");
}

TEST(LockAttack, EveryCutIsRefused) {
  const std::string text = text_with("", "");
  for (std::size_t size = 0; size + 1 < text.size(); size += 7)
    EXPECT_THROW(parse_lock(text.substr(0, size), "demo.lock.json"), core::Error) << size;
}

}  // namespace
}  // namespace imgforge::lock
