// Real HTTP servers for tests: the project's own fault server, and an offline Alpine mirror when its material
// is there (IMGFORGE_TEST_ALPINE). Each is a child process on a free port of 127.0.0.1 that ends with its
// object.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "support/source_dir.hpp"

namespace imgforge::testing {

/// A child that prints its port as the first line.
class Server {
 public:
  explicit Server(const core::Command& command) : child_(command) {
    std::string text;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (text.find('\n') == std::string::npos && std::chrono::steady_clock::now() < deadline &&
           !child_.at_end()) {
      text += child_.read(std::chrono::milliseconds(200));
    }
    port_ = std::atoi(text.c_str());
    if (port_ == 0) throw core::Error(core::Kind::kInternal, "the test server did not start: " + text);
  }
  std::string url(const std::string& path, const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + std::to_string(port_) + path;
  }
  int port() const { return port_; }

 private:
  core::ChildProcess child_;
  int port_ = 0;
};

/// tests/support/fault_server.py over a directory of its own.
class FaultServer {
 public:
  explicit FaultServer(const std::vector<std::string>& tls = {})
      : folder_(std::filesystem::temp_directory_path(), "imgforge-fault-server") {
    std::filesystem::create_directory(root());
    core::Command command{.program = "python3",
                          .args = {source_dir() / "tests/support/fault_server.py", root(), log()},
                          .environment = {},
                          .directory = {},
                          .input = {},
                          .output_file = {}};
    command.args.insert(command.args.end(), tls.begin(), tls.end());
    server_ = std::make_unique<Server>(command);
  }
  std::filesystem::path root() const { return folder_ / "root"; }
  std::string url(const std::string& path, const std::string& scheme = "http") const {
    return server_->url(path, scheme);
  }
  int port() const { return server_->port(); }
  void put(const std::string& path, std::string_view content) const {
    const std::filesystem::path file = root() / path;
    std::filesystem::create_directories(file.parent_path());
    std::filesystem::remove(file);
    const core::Fd fd = core::open_file(file, 0101 /* O_WRONLY | O_CREAT */);
    core::write_all(fd.get(), content, file.native());
  }
  /// Requests so far, one line each.
  std::vector<std::string> requests() const {
    std::vector<std::string> lines = core::split(core::read_text_file(log()), '\n');
    lines.pop_back();
    return lines;
  }

 private:
  std::string log() const { return folder_ / "log"; }
  core::TempDir folder_;
  std::unique_ptr<Server> server_;
};

/// Folder of the offline Alpine material; empty when it is not there.
inline std::filesystem::path mirror_material() {
  const std::filesystem::path folder = alpine_material();
  return std::filesystem::exists(folder / "make-mirror") ? folder : std::filesystem::path();
}

/// A mirror made for this test process, with its server. Throws when the material is missing or broken.
class AlpineMirror {
 public:
  AlpineMirror() : folder_(std::filesystem::temp_directory_path(), "imgforge-alpine-mirror") {
    const std::filesystem::path material = mirror_material();
    core::Command make{.program = material / "make-mirror",
                       .args = {root(), "--no-kernel"},
                       .environment = {},
                       .directory = {},
                       .input = {},
                       .output_file = {}};
    core::system_processes().check(make, {});
    core::Command serve = make;
    serve.program = material / "serve";
    serve.args = {root(), "--log", log()};
    server_ = std::make_unique<Server>(serve);
  }
  std::filesystem::path root() const { return folder_ / "mirror"; }
  std::filesystem::path key() const { return root() / "keys" / "imgforge-test.rsa.pub"; }
  std::string url(const std::string& path = "") const { return server_->url(path); }
  /// How many requests were answered so far.
  std::size_t requests() const { return core::split(core::read_text_file(log(), 64 << 20), '\n').size() - 1; }
  std::string log_text() const { return core::read_text_file(log(), 64 << 20); }

 private:
  std::string log() const { return folder_ / "log"; }
  core::TempDir folder_;
  std::unique_ptr<Server> server_;
};

}  // namespace imgforge::testing
