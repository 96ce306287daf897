// The table of programs that imgforge starts: what each is for, the oldest version known to work and why,
// and the Debian package that brings it. `doctor` prints it; adapters ask it for paths.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace imgforge::machine {

struct Tool {
  std::string_view name;          ///< program name
  std::string_view purpose;       ///< what imgforge uses it for
  std::string_view package;       ///< Debian package
  std::string_view version_flag;  ///< argument that prints the version; empty: the program has none
  std::string_view minimum;       ///< oldest version that works; empty: any
  std::string_view reason;        ///< why that version
};

/// All tools, in the order in which doctor prints them.
std::span<const Tool> tools();

/// Path of a program. Throws kMachine with the package to install as hint.
std::filesystem::path require_program(std::string_view name);
/// Path of a data file (firmware, boot code). Throws kMachine with the package to install.
std::filesystem::path require_file(std::string_view path, std::string_view package);

}  // namespace imgforge::machine
