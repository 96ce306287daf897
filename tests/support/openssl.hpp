// The openssl program, for keys and signatures that tests make.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/process.hpp"

namespace imgforge::testing {

/// Throws when it fails.
inline void openssl(std::vector<std::string> args) {
  core::Command command{.program = "openssl",
                        .args = std::move(args),
                        .environment = {},
                        .directory = {},
                        .input = {},
                        .output_file = {}};
  core::system_processes().check(command, {});
}

}  // namespace imgforge::testing
