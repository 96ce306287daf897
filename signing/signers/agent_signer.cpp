#include "signing/signers/agent_signer.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/ssh_wire.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint8_t kRequestIdentities = 11;
constexpr std::uint8_t kIdentities = 12;
constexpr std::uint8_t kSignRequest = 13;
constexpr std::uint8_t kSignResponse = 14;
constexpr std::size_t kMaxAnswer = 256 << 10;
constexpr std::chrono::milliseconds kTick{100};

Error refused(const std::string& why) {
  return std::move(Error(Kind::kSignature, "ssh-agent: " + why)
                       .hint("ssh-add -l lists what it holds; SSH_AUTH_SOCK names its socket"));
}

/// One connection, with a deadline for each answer.
class Connection {
 public:
  Connection(const std::filesystem::path& socket, const core::CancelToken& cancel,
             std::chrono::milliseconds patience)
      : cancel_(cancel), patience_(patience) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket.empty() || socket.native().size() >= sizeof address.sun_path) throw refused("there is none");
    std::copy(socket.native().begin(), socket.native().end(), address.sun_path);
    fd_ = core::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd_ || ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw refused("cannot reach " + core::escaped(socket.native(), 200) + ": " + std::strerror(errno));
  }

  /// The answer to a request: its kind, then its content.
  std::string ask(std::uint8_t kind, std::string_view content) {
    std::string message(1, static_cast<char>(kind));
    message += content;
    message = ssh_field(message);
    if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(message.size()))
      throw refused("it does not listen");
    const core::Instant deadline = core::steady_clock().now() + patience_;
    const std::string size = receive(4, deadline);
    SshReader reader(size);
    const std::uint32_t length = reader.number();
    if (length == 0 || length > kMaxAnswer)
      throw refused("an answer of " + std::to_string(length) + " bytes");
    return receive(length, deadline);
  }

 private:
  std::string receive(std::size_t size, core::Instant deadline) {
    std::string bytes;
    std::vector<char> buffer(4096);
    while (bytes.size() < size) {
      cancel_.check();
      if (core::steady_clock().now() > deadline)
        throw Error(Kind::kTimeout, "ssh-agent gave no answer in time");
      pollfd wait{fd_.get(), POLLIN, 0};
      if (::poll(&wait, 1, static_cast<int>(kTick.count())) <= 0) continue;
      const ssize_t n = ::recv(fd_.get(), buffer.data(), std::min(buffer.size(), size - bytes.size()), 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw refused("it hung up");
      bytes.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return bytes;
  }

  core::Fd fd_;
  core::CancelToken cancel_;
  std::chrono::milliseconds patience_;
};

/// Whatever an answer lacks is the agent's fault, and told so.
template <class Read>
auto parsed(Read&& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (error.message().starts_with("ssh-agent")) throw;
    throw refused("an answer that is none: " + error.message());
  }
}

class AgentSigner : public RawSigner {
 public:
  AgentSigner(std::filesystem::path socket, const PublicKey& key, const core::CancelToken& cancel,
              std::chrono::milliseconds patience)
      : socket_(std::move(socket)), key_(key), cancel_(cancel), patience_(patience) {
    require_key();
  }
  const PublicKey& public_key() const override { return key_; }

  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const override {
    Connection agent(socket_, cancel_, patience_);
    const std::string_view text(reinterpret_cast<const char*>(message.data()), message.size());
    const std::string answer =
        agent.ask(kSignRequest, ssh_field(ssh_key_blob(key_)) + ssh_field(text) + ssh_number(0));
    if (static_cast<std::uint8_t>(answer.front()) != kSignResponse)
      throw refused("it does not sign with this key");
    return parsed([&] {
      SshReader reader(std::string_view(answer).substr(1));
      SshReader signature(reader.field());
      reader.end();
      if (signature.field() != kSshEd25519) throw refused("a signature of another kind");
      const std::string_view raw = signature.field();
      signature.end();
      Ed25519Signature result{};
      if (raw.size() != result.size()) throw refused("a signature of another length");
      std::copy(raw.begin(), raw.end(), result.begin());
      return result;
    });
  }

 private:
  void require_key() const {
    Connection agent(socket_, cancel_, patience_);
    const std::string answer = agent.ask(kRequestIdentities, "");
    if (static_cast<std::uint8_t>(answer.front()) != kIdentities) throw refused("it does not list its keys");
    const std::string wanted = ssh_key_blob(key_);
    const bool found = parsed([&] {
      SshReader reader(std::string_view(answer).substr(1));
      for (std::uint32_t left = reader.number(); left > 0; --left) {
        const std::string_view blob = reader.field();
        reader.field();  // its comment, which anybody can write
        if (blob == wanted) return true;
      }
      return false;
    });
    if (!found) throw refused("it does not hold the key " + key_.id());
  }

  std::filesystem::path socket_;
  PublicKey key_;
  core::CancelToken cancel_;
  std::chrono::milliseconds patience_;
};

}  // namespace

std::unique_ptr<RawSigner> agent_signer(const std::filesystem::path& socket, const PublicKey& key,
                                        const core::CancelToken& cancel, std::chrono::milliseconds patience) {
  return std::make_unique<AgentSigner>(socket, key, cancel, patience);
}

}  // namespace imgforge::signing
