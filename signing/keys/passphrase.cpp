#include "signing/keys/passphrase.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/private_file.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

// The reference tool keeps passphrases in 1024 bytes with a final zero.
constexpr std::size_t kMaxPassphrase = 1023;

void wait_readable(int fd, const core::CancelToken& cancel, std::string_view name) {
  while (true) {
    cancel.check();
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) throw core::system_error(errno, "cannot wait for", name);
  }
}

SecretBytes read_line(int fd, std::string_view name, const core::CancelToken& cancel) {
  SecretBytes line(kMaxPassphrase + 1);
  std::size_t length = 0;
  while (true) {
    wait_readable(fd, cancel, name);
    const std::size_t n = core::read_some(fd, std::as_writable_bytes(line.bytes().subspan(length, 1)), name);
    if (n == 0 && length == 0) throw Error(Kind::kUsage, "no passphrase came from " + std::string(name));
    if (n == 0 || line.bytes()[length] == '\n') break;
    if (line.bytes()[length] == 0) {
      throw Error(Kind::kUsage, "the passphrase from " + std::string(name) + " holds a zero byte");
    }
    if (++length > kMaxPassphrase) {
      throw Error(Kind::kUsage, "the passphrase from " + std::string(name) + " is longer than " +
                                    std::to_string(kMaxPassphrase) + " bytes");
    }
  }
  line.truncate(length);
  return line;
}

void refuse_empty(const SecretBytes& passphrase, PassphraseUse use) {
  if (use == PassphraseUse::kCreate && passphrase.empty()) {
    throw Error(Kind::kUsage, "an empty passphrase protects nothing")
        .hint("ask for a key without a passphrase explicitly");
  }
}

class NoPassphrase : public PassphraseSource {
 public:
  std::optional<SecretBytes> ask(PassphraseUse, std::string_view) override { return {}; }
};

class FdPassphrase : public PassphraseSource {
 public:
  FdPassphrase(int fd, core::CancelToken cancel) : fd_(fd), cancel_(std::move(cancel)) {}
  std::optional<SecretBytes> ask(PassphraseUse use, std::string_view) override {
    const std::string name = "file descriptor " + std::to_string(fd_);
    if (::fcntl(fd_, F_GETFD) < 0) throw Error(Kind::kUsage, name + " is not open");
    SecretBytes passphrase = read_line(fd_, name, cancel_);
    refuse_empty(passphrase, use);
    return passphrase;
  }

 private:
  int fd_;
  core::CancelToken cancel_;
};

class FilePassphrase : public PassphraseSource {
 public:
  FilePassphrase(std::filesystem::path path, core::CancelToken cancel)
      : path_(std::move(path)), cancel_(std::move(cancel)) {}
  std::optional<SecretBytes> ask(PassphraseUse use, std::string_view) override {
    const core::Fd fd = open_private_file(path_, "passphrase file");
    SecretBytes passphrase = read_line(fd.get(), core::escaped(path_.native()), cancel_);
    refuse_empty(passphrase, use);
    return passphrase;
  }

 private:
  std::filesystem::path path_;
  core::CancelToken cancel_;
};

/// Turns the echo of a terminal off for as long as it lives.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd) {
    if (::tcgetattr(fd_, &saved_) != 0) throw core::system_error(errno, "cannot examine", "the terminal");
    termios silent = saved_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
    if (::tcsetattr(fd_, TCSAFLUSH, &silent) != 0) {
      throw core::system_error(errno, "cannot turn off the echo of", "the terminal");
    }
  }
  ~SilentTerminal() { ::tcsetattr(fd_, TCSAFLUSH, &saved_); }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  int fd_;
  termios saved_{};
};

class TerminalPassphrase : public PassphraseSource {
 public:
  explicit TerminalPassphrase(core::CancelToken cancel) : cancel_(std::move(cancel)) {}
  std::optional<SecretBytes> ask(PassphraseUse use, std::string_view key_name) override {
    const core::Fd tty(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!tty) {
      throw Error(Kind::kUsage, "there is no terminal to ask for a passphrase")
          .hint("give it with --passphrase-file or --passphrase-fd");
    }
    const std::string key = core::escaped(key_name);
    SecretBytes first = prompt(tty.get(), "Passphrase for " + key + ": ");
    refuse_empty(first, use);
    if (use == PassphraseUse::kCreate) {
      const SecretBytes second = prompt(tty.get(), "The same again: ");
      if (!equal_secrets(first.bytes(), second.bytes())) {
        throw Error(Kind::kUsage, "the two passphrases differ; no key was made");
      }
    }
    return first;
  }

 private:
  SecretBytes prompt(int tty, const std::string& text) {
    const SilentTerminal silent(tty);
    core::write_all(tty, text, "the terminal");
    SecretBytes line = read_line(tty, "the terminal", cancel_);
    core::write_all(tty, "\n", "the terminal");
    return line;
  }

  core::CancelToken cancel_;
};

}  // namespace

std::unique_ptr<PassphraseSource> no_passphrase() {
  return std::make_unique<NoPassphrase>();
}

std::unique_ptr<PassphraseSource> passphrase_from_fd(int fd, core::CancelToken cancel) {
  return std::make_unique<FdPassphrase>(fd, std::move(cancel));
}

std::unique_ptr<PassphraseSource> passphrase_from_file(std::filesystem::path path, core::CancelToken cancel) {
  return std::make_unique<FilePassphrase>(std::move(path), std::move(cancel));
}

std::unique_ptr<PassphraseSource> passphrase_from_terminal(core::CancelToken cancel) {
  return std::make_unique<TerminalPassphrase>(std::move(cancel));
}

}  // namespace imgforge::signing
