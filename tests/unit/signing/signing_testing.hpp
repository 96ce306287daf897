// What the signing tests share: the published vector of the reference format, scratch folders, tools.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/atomic_file.hpp"
#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "signing/keys/secret_key.hpp"
#include "signing/minisign/minisign.hpp"

namespace imgforge::signing::testing {

/// Cheapest passphrase costs that are accepted: 16 MiB, some 50 ms.
inline constexpr KdfLimits kCheap{524288, 16777216};

/// Key of the vector: seed 00 01 .. 1f, key id 01 .. 08.
inline SecretKey vector_key() {
  std::array<std::uint8_t, 32> seed{};
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  return SecretKey::from_seed(seed, {1, 2, 3, 4, 5, 6, 7, 8});
}

inline constexpr std::string_view kVectorPublic =
    "untrusted comment: minisign public key 0807060504030201\n"
    "RWQBAgMEBQYHCAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\n";

inline constexpr std::string_view kVectorSecret =
    "untrusted comment: minisign encrypted secret key\n"
    "RWRTY0IyoKGio6SlpqeoqaqrrK2ur7CxsrO0tba3uLm6u7y9vr8AAAgAAAAAAAAAAAEAAAAAU9fKWR3qEOoOdz5ZgmVtt1T9Hq08HrV1"
    "AF"
    "pIGLC3J5s0MYrGh2MUA5nm2jOrjSMCLI7FiYmRq46bVNvxd5wE/vUmVTW4C+l1EgoBBrtwNIWVfep2BV0cukpRK70Qfo6/"
    "Dlcsz2SoI84="
    "\n";

inline constexpr std::string_view kVectorSignature =
    "untrusted comment: signature from imgforge\n"
    "RUQBAgMEBQYHCO7bfJOJZsqfCwXF+z0sQ1VXJkH6b3IX+R7jgIZiK0baMSQj5407he+UPkHYBXBmR29ayQO7Zj5oIfpnYdZXcAQ=\n"
    "trusted comment: timestamp:1700000000\tfile:test\tseq:1\thashed\n"
    "QZRHkzKh1uavciqnpiF3ZpNX/OUjEsoOHDbFKuIzMitUKUH2PpzBxD56CdQz4lPTbc6L9oVflSoa2xy8JDaFAQ==\n";

inline constexpr std::string_view kVectorComment = "timestamp:1700000000\tfile:test\tseq:1\thashed";

/// A scratch folder that goes away with the test.
class Scratch : public ::testing::Test {
 protected:
  std::filesystem::path write(std::string_view name, std::string_view content, unsigned mode = 0644) {
    const auto path = folder_ / name;
    core::write_file_atomically(path, content, mode);
    return path;
  }
  core::ProcessResult run(std::string program, std::vector<std::string> args, std::string input = {}) {
    core::Command command;
    command.program = std::move(program);
    command.args = std::move(args);
    command.directory = folder_.path();
    command.input = std::move(input);
    return core::system_processes().run(command, core::CancelToken());
  }
  std::size_t files_left() const {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path().filename() != ".owner") ++count;
    }
    return count;
  }

  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-signing-test"};
};

/// Runs `body`, which must throw core::Error of `kind` with `part` in its message.
template <class Body>
core::Error expect_error(core::Kind kind, std::string_view part, Body&& body) {
  try {
    body();
  } catch (const core::Error& error) {
    EXPECT_EQ(core::kind_name(error.kind()), core::kind_name(kind)) << error.message();
    EXPECT_NE(error.message().find(part), std::string::npos) << error.message();
    return error;
  }
  ADD_FAILURE() << "nothing was refused; expected: " << part;
  return core::Error(core::Kind::kInternal, "");
}

}  // namespace imgforge::signing::testing
