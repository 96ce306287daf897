// Where passphrases come from: the terminal, a file, or a descriptor that the parent opened. Never the
// command line or the environment, which other processes can read, and never a log.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "core/cancel.hpp"
#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::signing {

enum class PassphraseUse {
  kOpen,    ///< for a key that exists
  kCreate,  ///< for a new key: a terminal asks twice, and an empty passphrase is kUsage
};

class PassphraseSource {
 public:
  virtual ~PassphraseSource() = default;
  /// The passphrase for `key_name` (printed in a prompt), or nothing when this source stands for "no
  /// passphrase". Throws kUsage when none came, or when it is longer than 1023 bytes; kInterrupted when
  /// cancelled.
  virtual std::optional<SecretBytes> ask(PassphraseUse use, std::string_view key_name) = 0;
};

std::unique_ptr<PassphraseSource> no_passphrase();
/// Up to the first line end or the end of input of an open descriptor, which stays the caller's. Not one byte
/// more is read.
std::unique_ptr<PassphraseSource> passphrase_from_fd(int fd, core::CancelToken cancel);
/// First line of a file that only the caller can read (see open_private_file).
std::unique_ptr<PassphraseSource> passphrase_from_file(std::filesystem::path path, core::CancelToken cancel);
/// /dev/tty with echo off, whatever standard input is. kUsage when there is no terminal.
std::unique_ptr<PassphraseSource> passphrase_from_terminal(core::CancelToken cancel);

}  // namespace imgforge::signing
