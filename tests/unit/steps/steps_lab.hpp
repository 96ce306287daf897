// What the tests of builder/steps share: a small Alpine mirror in a folder (a base with a kernel that no
// machine runs, one signed package), a cache and a store of their own, and a sandbox without a virtual
// machine.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "builder/cache/step_cache.hpp"
#include "builder/steps/build.hpp"
#include "builder/steps/profile_graph.hpp"
#include "core/error.hpp"
#include "support/apk_maker.hpp"
#include "support/fake_sandbox.hpp"
#include "support/fetch_lab.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::steps::testing {

namespace fs = std::filesystem;
using imgforge::testing::error_of;

/// Tells what became of each step, in the order of the ends.
class StepProgress : public core::Progress {
 public:
  void note(std::string_view) override {}
  void warn(std::string_view) override {}
  std::map<std::string, std::string> ends;

 private:
  core::ActivityId start(std::string_view name, core::ActivityId) override {
    const std::lock_guard lock(mutex_);
    names_.emplace_back(name);
    return names_.size();
  }
  void say(core::ActivityId, std::string_view) override {}
  void count(core::ActivityId, const core::Amount&) override {}
  void end(core::ActivityId activity, core::Outcome outcome, std::string_view detail) override {
    if (outcome == core::Outcome::kFailed || detail.empty()) return;
    const std::lock_guard lock(mutex_);
    ends[names_.at(activity - 1)] = outcome == core::Outcome::kKnown ? "known" : "made";
  }

  std::mutex mutex_;
  std::vector<std::string> names_;
};

inline void spill(const fs::path& file, std::string_view content) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

/// A folder laid out as a mirror of Alpine 3.22 with base, index and package.
class SmallAlpine {
 public:
  SmallAlpine() {
    put_base();
    put_package("1.0-r0");
  }
  std::string url() const { return "file://" + folder_.path().native(); }
  fs::path path(std::string_view name) const { return folder_ / name; }
  fs::path package(const std::string& version) const {
    return folder_ / ("v3.22/main/x86_64/hello-" + version + ".apk");
  }

  /// `more`: files that the base has besides.
  void put_base(const std::string& motd = "welcome\n", imgforge::testing::TarFiles more = {}) {
    const std::string modules = "lib/modules/6.6.1-virt/";
    imgforge::testing::TarFiles files{
        {"etc/alpine-release", "3.22.2\n"},
        {"etc/motd", motd},
        {"etc/apk/world", "alpine-baselayout\n"},
        {"etc/apk/keys/" + key().name(), key().pem()},
        {"bin/sh", "the shell"},
        {"bin/busybox", core::read_text_file("/bin/busybox", 1 << 24)},
        {"boot/vmlinuz-virt", image::testing::fake_kernel("6.6.1-virt")},
        {modules + "modules.dep", "virtio.ko:\n"},
        {modules + "modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/fs/overlayfs/overlay.ko\n"},
        {modules + "virtio.ko", "one"}};
    files.insert(files.end(), more.begin(), more.end());
    const std::string tar = imgforge::testing::tar_of(files, imgforge::testing::TarEnd::kWhole, 1700000000);
    const std::string bytes = imgforge::testing::gzip(tar, 1);
    const std::string file = "alpine-minirootfs-3.22.2-x86_64.tar.gz";
    spill(path("v3.22/releases/x86_64/" + file), bytes);
    spill(path("v3.22/releases/x86_64/latest-releases.yaml"),
          "---\n-\n  title: \"Mini root filesystem\"\n  branch: v3.22\n  arch: x86_64\n  version: 3.22.2\n"
          "  flavor: alpine-minirootfs\n  file: " +
              file + "\n  size: " + std::to_string(bytes.size()) +
              "\n  sha256: " + core::digest_of(core::HashAlgorithm::kSha256, bytes).hex() +
              "\n  sha512: " + core::digest_of(core::HashAlgorithm::kSha512, bytes).hex() + "\n");
  }
  void put_package(const std::string& version) {
    imgforge::testing::ApkParts parts;
    parts.version = version;
    const std::string bytes = parts.bytes(key());
    spill(package(version), bytes);
    const std::string index = imgforge::testing::index_control(parts.index_record(bytes.size()));
    spill(path("v3.22/main/x86_64/APKINDEX.tar.gz"), imgforge::testing::signed_member(index, key()));
  }

 private:
  /// Made once: that takes a while.
  static const imgforge::testing::ApkKey& key() {
    static const imgforge::testing::ApkKey made;
    return made;
  }
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-small-alpine"};
};

/// A recipe of the small mirror: one package, raw and rootfs.
inline recipe::ResolvedRecipe small_recipe(const std::string& mirror) {
  recipe::ResolvedRecipe recipe;
  recipe.name = "demo";
  recipe.profile = "minimal";
  recipe.version = "v20261120";
  recipe::AlpineBase base;
  base.release = "3.22";
  base.mirrors = {mirror};
  recipe.base = base;
  recipe.packages.repositories = {{"main", {}}};
  recipe.packages.add = {{"hello", {}}};
  recipe.hostname = "demo";
  recipe.kernel.package = "linux-virt";
  recipe.disk.size = core::mib(96);
  recipe.formats = {{"raw", {}}, {"rootfs", {}}};
  return recipe;
}

class StepsLab : public ::testing::Test {
 protected:
  StepsLab() {
    script_.apk_output = "(1/1) Installing hello (1.0-r0)\nOK\n";
    tools_.start_sandbox = [this](const guest::SandboxRequest& request) {
      return std::make_unique<imgforge::testing::PendingFake>(script_, tools_.cancel, request);
    };
    tools_.jobs = 2;
  }

  BuildRequest request() const {
    BuildRequest out;
    out.profiles = {recipe_};
    out.release.output_dir = folder_ / "store";
    out.release.recipe_sha256 = core::digest_of(core::HashAlgorithm::kSha256, "recipe");
    return out;
  }
  ProfileOutcome run() { return run(request()); }
  ProfileOutcome run(const BuildRequest& wanted) {
    progress_.ends.clear();
    script_.calls.clear();
    return build(tools_, wanted).at(0);
  }
  std::map<std::string, engine::StepOutlook> outlooks() {
    std::map<std::string, engine::StepOutlook> out;
    for (engine::StepOutlook& row : plan(tools_, recipe_, std::nullopt)) {
      const std::string id = row.id;
      out.emplace(id, std::move(row));
    }
    return out;
  }
  core::Error failure() {
    return error_of([&] { run(); });
  }
  /// Whether nothing was published.
  bool store_is_empty() const {
    const fs::path releases = folder_ / "store/images";
    return !fs::exists(releases) || fs::is_empty(releases);
  }
  fs::path blob(const core::Digest& sha256) { return blobs_.find_again(sha256)->path(); }

  core::TempDir folder_{fs::temp_directory_path(), "imgforge-steps-lab"};
  core::CancelToken cancel_;
  StepProgress progress_;
  imgforge::testing::SandboxScript script_;
  artifacts::BlobStore blobs_{folder_ / "cache/blobs"};
  cache::StepCache cache_{folder_ / "cache/steps"};
  std::unique_ptr<fetch::Http> http_ = fetch::make_http(imgforge::testing::quick_options(), cancel_);
  stages::Toolbox tools_{.processes = core::system_processes(),
                         .http = *http_,
                         .blobs = blobs_,
                         .steps = cache_,
                         .progress = progress_,
                         .clock = core::system_clock(),
                         .cancel = cancel_,
                         .cache_dir = folder_ / "cache",
                         .host = std::make_shared<stages::HostFacts>(core::system_processes(), progress_,
                                                                     folder_ / "cache", cancel_)};
  recipe::ResolvedRecipe recipe_ = small_recipe("file:///nowhere");
};

}  // namespace imgforge::steps::testing
