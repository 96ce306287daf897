// Makes a store of many small releases quickly, through the same publisher as a build: for functional tests
// and for ci/bench-store. The images are not images; nothing that looks into them may be asked to.
//
//   store_maker FOLDER [--lines N] [--releases N] [--packages N] [--size BYTES] [--first DAY] [--key FILE]
//   [--image FILE]
#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "artifacts/store/store.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/random.hpp"
#include "core/temp_dir.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/minisign/signer.hpp"

namespace {

namespace fs = std::filesystem;
using namespace imgforge;

struct Options {
  fs::path folder;
  std::map<std::string, std::uint64_t> numbers{
      {"--lines", 1}, {"--releases", 1}, {"--packages", 10}, {"--size", 4096}, {"--first", 0}};
  fs::path key;
  fs::path image;  ///< what all images are copies of; empty: made up
};

Options parse(int argc, char** argv) {
  Options options;
  if (argc < 2) throw core::Error(core::Kind::kUsage, "store_maker FOLDER [--lines N] ...");
  options.folder = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string value = argv[i + 1];
    if (std::string_view(argv[i]) == "--key") {
      options.key = value;
      continue;
    }
    if (std::string_view(argv[i]) == "--image") {
      options.image = value;
      continue;
    }
    std::from_chars(value.data(), value.data() + value.size(), options.numbers.at(argv[i]));
  }
  return options;
}

core::Digest sha256(std::string_view text) {
  return core::digest_of(core::HashAlgorithm::kSha256, text);
}

/// A file of `size` bytes that nobody has had before: random blocks at both ends of repeated ones.
void write_image(const fs::path& path, std::uint64_t size) {
  fs::remove(path);
  core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_EXCL);
  const std::string block = core::random_hex(1 << 15);
  for (std::uint64_t written = 0; written < size; written += block.size()) {
    core::write_all(fd.get(), std::string_view(block).substr(0, size - written), path.native());
  }
}

std::vector<artifacts::Document> finalise(artifacts::Manifest& manifest, std::uint64_t packages,
                                          core::UnixTime time) {
  manifest.created = core::iso_time(time);
  manifest.recipe_sha256 = sha256("recipe");
  manifest.base = {"minirootfs", "3.22.2", "https://mirror.example/alpine.tar.gz", sha256("base"), 1234};
  for (std::uint64_t i = 0; i < packages; ++i) {
    manifest.packages.push_back({fmt::format("package-{}", i), "1.2.5-r1", "x86_64",
                                 "https://mirror.example/alpine/v3.22/main",
                                 "Q1KwQLpQ1VvPWMuhRyKQbTMRCzzmY=", "MIT", fmt::format("source-{}", i / 3),
                                 sha256(std::to_string(i)), 1000 + i});
  }
  manifest.kernel_release = "6.12.1-0-virt";
  manifest.kernel_cmdline = "console=ttyS0";
  for (const char* path : {"disk BIOS", "disk UEFI"}) {
    manifest.boots.push_back(
        {manifest.artifacts.front().file, path, "tcg", core::mib(256), 1, {{"login", 5000}}});
  }
  manifest.accelerator = "tcg";
  manifest.accelerator_reason = "no /dev/kvm";
  manifest.tool_version = "0.1.0";
  manifest.required_memory = core::mib(256);
  return {{"boot-disk-bios.log", "login:\n"}};
}

void make(const Options& options) {
  const auto number = [&](const char* name) { return options.numbers.at(name); };
  const core::TempDir scratch(options.folder.parent_path(), "store-maker");
  artifacts::Store store = artifacts::Store::create(options.folder);
  std::shared_ptr<const signing::SecretKey> key;
  if (!options.key.empty()) {
    key = std::make_shared<const signing::SecretKey>(
        signing::load_secret_key(options.key, *signing::no_passphrase()));
  }
  for (std::uint64_t day = number("--first"); day < number("--first") + number("--releases"); ++day) {
    for (std::uint64_t line = 0; line < number("--lines"); ++line) {
      // 2026-01-01 and the days after it.
      const core::UnixTime time{std::chrono::seconds(1767225600 + static_cast<std::int64_t>(day) * 86400)};
      for (const char* name : {"image.qcow2", "image.iso"}) {
        write_image(scratch / name, options.image.empty() ? number("--size") : 0);
        if (!options.image.empty())
          fs::copy_file(options.image, scratch / name, fs::copy_options::overwrite_existing);
      }
      artifacts::PublishRequest request;
      request.name = fmt::format("demo{}", line);
      request.profile = "minimal";
      request.version = artifacts::Version{core::compact_date(time), 0};
      request.artifacts = {{scratch / "image.qcow2", ".qcow2", "qcow2", 1 << 30, {}},
                           {scratch / "image.iso", ".iso", "iso", 0, {}}};
      request.finalise = [&](artifacts::Manifest& manifest) {
        return finalise(manifest, number("--packages"), time);
      };
      if (key) request.signer = {key, time};
      store.publish(request);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    make(parse(argc, argv));
    return 0;
  } catch (const core::Error& error) {
    std::cerr << error.message() << "\n" << error.hint() << "\n";
    return core::exit_code(error.kind());
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
