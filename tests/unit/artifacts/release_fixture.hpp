// A store in a temporary directory and a request to publish into it; the signature is a checksum with a name,
// which is enough to tell whether the right bytes were signed and checked.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "artifacts/check/verify.hpp"
#include "artifacts/store/store.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts::testing_support {

namespace fs = std::filesystem;

inline void write(const fs::path& path, std::string_view text) {
  fs::remove(path);
  const core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  core::write_all(fd.get(), text, path.native());
}

inline std::string toy_signature(std::string_view bytes) {
  return "toy " + core::digest_of(core::HashAlgorithm::kSha256, bytes).hex() + "\n";
}

inline std::string toy_check(std::string_view bytes, const Signatures& signatures) {
  if (signatures.front() != toy_signature(bytes))
    throw core::Error(core::Kind::kSignature, "bad toy signature");
  return "toy key";
}

inline core::Digest sha256_of(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

inline std::vector<Document> finalise(Manifest& manifest) {
  manifest.created = "2026-11-20T01:02:03Z";
  manifest.recipe_sha256 = sha256_of("recipe");
  manifest.base = {"minirootfs", "3.22.2", "https://mirror.example/alpine.tar.gz", sha256_of("base"), 1234};
  manifest.packages = {{"musl", "1.2.5-r1", "x86_64", "https://mirror.example/main", "Q1abc=", "MIT", "musl",
                        sha256_of("musl"), 99}};
  manifest.kernel_release = "6.12.1-0-virt";
  manifest.kernel_cmdline = "console=ttyS0";
  manifest.boots = {
      {manifest.artifacts.front().file, "disk BIOS", "tcg", core::mib(256), 1, {{"login", 12345}}}};
  manifest.accelerator = "tcg";
  manifest.accelerator_reason = "no /dev/kvm";
  manifest.tool_version = "0.1.0";
  manifest.required_memory = core::mib(256);
  return {{"sbom.spdx.json", "{}\n"}, {"boot-disk-bios.log", "login:\n"}};
}

/// A signed request for two images whose content contains `content`.
/// Signs with toy_signature.
inline signing::Signer toy_signer() {
  return {"untrusted comment: toy key\nRWtoy\n",
          [](std::string_view, std::string_view bytes, core::UnixTime) { return toy_signature(bytes); }};
}

inline PublishRequest request_for(const fs::path& folder, std::string_view content,
                                  std::string date = "20261120") {
  write(folder / "image.qcow2", "qcow2 " + std::string(content) + std::string(30000, 'q'));
  write(folder / "image.iso", "iso " + std::string(content) + std::string(20000, 'i'));
  PublishRequest request;
  request.name = "hello";
  request.profile = "minimal";
  request.version = Version{std::move(date), 0};
  request.artifacts = {{folder / "image.qcow2", ".qcow2", "qcow2", 1 << 20, {{"compression", "zlib"}}},
                       {folder / "image.iso", ".iso", "iso", 0, {}}};
  request.finalise = finalise;
  request.signer = toy_signer();
  request.signature = toy_check;
  request.lock_timeout = std::chrono::seconds(20);
  return request;
}

/// Options of somebody who trusts the toy key.
inline ChangeOptions trusting() {
  ChangeOptions options;
  options.signature = toy_check;
  return options;
}

inline VerifyOptions strict_options() {
  return {toy_check, {}, Extras::kRefuse};
}

class StoreTest : public ::testing::Test {
 protected:
  explicit StoreTest(const fs::path& parent = fs::temp_directory_path())
      : folder_(parent, "imgforge-store") {}

  core::TempDir folder_;
  fs::path out_ = folder_ / "out";

  PublishResult publish(std::string_view content, std::string date = "20261120") {
    return Store::create(out_).publish(request_for(folder_.path(), content, std::move(date)));
  }
  fs::path release(std::string_view version) const { return out_ / "releases/hello-minimal" / version; }
  /// Path, type and identity of everything below the store except its lock, to see that nothing changed.
  std::string listing() const {
    std::string text;
    std::vector<fs::path> paths;
    for (const auto& entry : fs::recursive_directory_iterator(out_)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
      if (path.filename() == ".lock") continue;
      text += path.native();
      if (fs::is_symlink(path)) {
        text += " -> " + fs::read_symlink(path).native();
      } else if (fs::is_regular_file(path)) {
        text += " " + core::digest_of_file(core::HashAlgorithm::kSha256, path).hex() + " " +
                std::to_string(fs::last_write_time(path).time_since_epoch().count());
      }
      text += "\n";
    }
    return text;
  }
  bool staging_is_empty() const { return !fs::exists(out_ / ".staging") || fs::is_empty(out_ / ".staging"); }
};

}  // namespace imgforge::artifacts::testing_support
