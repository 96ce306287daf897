// Writes one file into a new ext4 file system, as a model gets into an image, for ci/bench-models:
// write_model MODEL IMAGE BYTES. Prints the seconds that it took.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/ext4.hpp"
#include "core/atomic_file.hpp"

namespace artifacts = imgforge::artifacts;
namespace core = imgforge::core;
namespace image = imgforge::image;

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    const std::filesystem::path model = argv[1], target = argv[2];
    const auto begin = std::chrono::steady_clock::now();
    core::write_file_atomically(target, "");
    std::filesystem::resize_file(target, std::strtoull(argv[3], nullptr, 10));
    const std::filesystem::path tar = target.native() + ".tar";
    core::write_file_atomically(tar, std::string(1024, '\0'));
    artifacts::TarEntry entry;
    entry.path = "model.gguf";
    entry.type = artifacts::EntryType::kFile;
    entry.mode = 0644;
    entry.size = std::filesystem::file_size(model);
    image::Ext4Options options;
    options.uuid = "00000000-0000-4000-8000-000000000001";
    options.size = std::filesystem::file_size(target);
    image::make_ext4({tar, {{.entry = entry, .source = model}}}, target, options, core::system_processes(),
                     {});
    std::filesystem::remove(tar);
    std::printf("%.3f\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
  return 0;
}
