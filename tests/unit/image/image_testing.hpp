// What the tests of builder/image share: a private folder, tools run with their output, and root file system
// tars.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::image::testing {

class ImageTest : public ::testing::Test {
 protected:
  std::filesystem::path path(std::string_view name) const { return folder_ / name; }

  std::string slurp(const std::filesystem::path& file) const {
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    std::string content(in ? static_cast<std::size_t>(in.tellg()) : 0, '\0');
    in.seekg(0);
    in.read(content.data(), static_cast<std::streamsize>(content.size()));
    return content;
  }

  void spill(const std::filesystem::path& file, std::string_view content) const {
    std::ofstream(file, std::ios::binary) << content;
  }

  /// Standard output of a program that must succeed.
  std::string run(const std::string& program, std::vector<std::string> args, std::string input = {}) const {
    core::Command command;
    command.program = program;
    command.args = std::move(args);
    command.input = std::move(input);
    command.directory = folder_.path();
    core::ProcessResult result = core::system_processes().run(command, {});
    EXPECT_EQ(result.exit_code, 0) << program << ": " << result.out << result.err;
    return result.out + result.err;
  }

  std::set<std::string> names_left() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().filename() != ".owner") names.insert(entry.path().filename());
    }
    return names;
  }

 private:
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-test"};
};

/// A tar written member by member.
class TarBuilder {
 public:
  explicit TarBuilder(const std::filesystem::path& file)
      : fd_(core::open_file(file, O_WRONLY | O_CREAT | O_TRUNC)), writer_(fd_.get(), file.native()) {}

  TarBuilder& add(artifacts::TarEntry entry, std::string_view content = {}) {
    entry.mtime = entry.mtime == 0 ? 1700000000 : entry.mtime;
    writer_.add(std::move(entry), content);
    return *this;
  }
  TarBuilder& directory(const std::string& path, std::uint32_t mode = 0755) {
    return add({.path = path,
                .type = artifacts::EntryType::kDirectory,
                .mode = mode,
                .link_target = {},
                .xattrs = {}});
  }
  TarBuilder& file(const std::string& path, std::string_view content, std::uint32_t mode = 0644) {
    return add(
        {.path = path, .type = artifacts::EntryType::kFile, .mode = mode, .link_target = {}, .xattrs = {}},
        content);
  }
  TarBuilder& link(const std::string& path, const std::string& target,
                   artifacts::EntryType type = artifacts::EntryType::kSymlink) {
    return add({.path = path, .type = type, .mode = 0777, .link_target = target, .xattrs = {}});
  }
  void finish() { writer_.finish(); }

 private:
  core::Fd fd_;
  artifacts::TarWriter writer_;
};

/// A kernel image that no machine runs, but whose header says `release`.
inline std::string fake_kernel(const std::string& release) {
  std::string image(0x2000, '\0');
  image.replace(0x202, 4, "HdrS");
  image[0x20E] = '\0';
  image[0x20F] = '\x08';  // version text at 0x800 + 0x200
  const std::string text = release + " (builder) #1";
  image.replace(0xA00, text.size(), text);
  return image;
}

/// The Error that `body` throws; a test failure when it throws none.
template <class Body>
core::Error error_of(Body&& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error was thrown";
  return core::Error(core::Kind::kInternal, "no error");
}

}  // namespace imgforge::image::testing
