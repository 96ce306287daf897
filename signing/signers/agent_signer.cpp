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
#include "signing/primitives/bytes.hpp"

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

/// A key that the agent holds, by the blob that names it.
class AgentKey {
 public:
  /// `name` is for messages.
  AgentKey(std::filesystem::path socket, std::string blob, const std::string& name,
           const core::CancelToken& cancel, std::chrono::milliseconds patience)
      : socket_(std::move(socket)), blob_(std::move(blob)), cancel_(cancel), patience_(patience) {
    require_key(name);
  }

  /// What stands in a signature of that kind.
  std::string sign(std::string_view message, std::string_view kind) const {
    Connection agent(socket_, cancel_, patience_);
    const std::string answer = agent.ask(kSignRequest, ssh_field(blob_) + ssh_field(message) + ssh_number(0));
    if (static_cast<std::uint8_t>(answer.front()) != kSignResponse)
      throw refused("it does not sign with this key");
    return parsed([&] {
      SshReader reader(std::string_view(answer).substr(1));
      SshReader signature(reader.field());
      reader.end();
      if (signature.field() != kind) throw refused("a signature of another kind");
      const std::string raw(signature.field());
      signature.end();
      return raw;
    });
  }

 private:
  void require_key(const std::string& name) const {
    Connection agent(socket_, cancel_, patience_);
    const std::string answer = agent.ask(kRequestIdentities, "");
    if (static_cast<std::uint8_t>(answer.front()) != kIdentities) throw refused("it does not list its keys");
    const bool found = parsed([&] {
      SshReader reader(std::string_view(answer).substr(1));
      for (std::uint32_t left = reader.number(); left > 0; --left) {
        const std::string_view blob = reader.field();
        reader.field();  // its comment, which anybody can write
        if (blob == blob_) return true;
      }
      return false;
    });
    if (!found) throw refused("it does not hold the key " + name);
  }

  std::filesystem::path socket_;
  std::string blob_;
  core::CancelToken cancel_;
  std::chrono::milliseconds patience_;
};

class AgentSigner : public RawSigner {
 public:
  AgentSigner(const PublicKey& key, AgentKey held) : key_(key), held_(std::move(held)) {}
  const PublicKey& public_key() const override { return key_; }

  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const override {
    const std::string raw = held_.sign(text_of(message), kSshEd25519);
    Ed25519Signature signature{};
    if (raw.size() != signature.size()) throw refused("a signature of another length");
    std::copy(raw.begin(), raw.end(), signature.begin());
    return signature;
  }

 private:
  PublicKey key_;
  AgentKey held_;
};

/// A number of a signature (RFC 4251, 5: mpint), which is positive and of 256 bits at most.
std::string take_number(SshReader& reader) {
  constexpr std::size_t kMost = 32;
  std::string_view bytes = reader.field();
  if (!bytes.empty() && static_cast<signed char>(bytes.front()) < 0) throw refused("a negative number");
  while (bytes.starts_with('\0')) bytes.remove_prefix(1);
  if (bytes.size() > kMost) throw refused("a signature of another length");
  return std::string(bytes);
}

class AgentP256Signer : public P256Signer {
 public:
  AgentP256Signer(const P256PublicKey& key, AgentKey held) : key_(key), held_(std::move(held)) {}
  P256PublicKey public_key() const override { return key_; }

 protected:
  std::vector<std::uint8_t> sign_unverified(std::string_view message) const override {
    const std::string raw = held_.sign(message, kSshP256);
    return parsed([&] {
      SshReader reader(raw);
      const std::string r = take_number(reader);
      const std::string s = take_number(reader);
      reader.end();
      return ecdsa_der(bytes_of(r), bytes_of(s));
    });
  }

 private:
  P256PublicKey key_;
  AgentKey held_;
};

}  // namespace

std::unique_ptr<RawSigner> agent_signer(const std::filesystem::path& socket, const PublicKey& key,
                                        const core::CancelToken& cancel, std::chrono::milliseconds patience) {
  return std::make_unique<AgentSigner>(key, AgentKey(socket, ssh_key_blob(key), key.id(), cancel, patience));
}

std::unique_ptr<P256Signer> agent_p256_signer(const std::filesystem::path& socket, const P256PublicKey& key,
                                              const core::CancelToken& cancel,
                                              std::chrono::milliseconds patience) {
  const std::vector<std::uint8_t> point = key.point();
  return std::make_unique<AgentP256Signer>(
      key, AgentKey(socket, ssh_p256_blob(text_of(point)), key.hint(), cancel, patience));
}

}  // namespace imgforge::signing
