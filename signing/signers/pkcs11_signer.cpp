#include "signing/signers/pkcs11_signer.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/keys/ssh_wire.hpp"
#include "signing/primitives/bytes.hpp"
#include "signing/signers/pkcs11_token.hpp"

extern "C" char** environ;

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;
using core::Reason;

// A question is made of fields: what is asked, the kind of key, the URI, the PIN, the message; an answer of
// these: whether it is one ("ok"), and what it says.
constexpr std::string_view kLook = "look";
constexpr std::string_view kPublic = "public";
constexpr std::string_view kSign = "sign";
constexpr std::string_view kOk = "ok";
constexpr std::string_view kYes = "yes";
constexpr std::size_t kMaxQuestion = 16 << 20;
constexpr std::size_t kMaxAnswer = 16 << 10;

std::string_view name_of(TokenKey kind) {
  return kind == TokenKey::kEd25519 ? "ed25519" : "p256";
}

Error refused(const std::string& why) {
  return std::move(Error(Kind::kSignature, "PKCS #11: " + why)
                       .hint("pkcs11-tool --list-slots and --list-objects show what there is"));
}

/// The PIN within is wiped when it goes.
struct Question {
  core::Command command;
  ~Question() { ::explicit_bzero(command.input.data(), command.input.size()); }
};

/// The fields of an answer, which is a stranger's until it is verified.
std::vector<std::string> ask(const SignerAccess& access, std::string_view what, TokenKey kind,
                             const Pkcs11Uri& uri, const SecretBytes& pin, std::string_view message,
                             std::size_t fields) {
  Question question;
  core::Command& command = question.command;
  command.program = "/proc/self/exe";
  command.args = {std::string(kPkcs11Child)};
  // The user's own, as for the user's other programs that use the module: where its configuration is.
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t end = pair.find('=');
    if (end != std::string_view::npos && end > 0)
      command.environment[std::string(pair.substr(0, end))] = pair.substr(end + 1);
  }
  command.input.reserve(uri.text().size() + pin.size() + message.size() + 128);  // so that it never moves
  command.input += ssh_field(what) + ssh_field(name_of(kind)) + ssh_field(uri.text());
  command.input += ssh_number(static_cast<std::uint32_t>(pin.size()));
  command.input += pin.view();
  command.input += ssh_field(message);
  command.timeout = access.patience;
  command.output_limit = kMaxAnswer;
  core::ProcessResult result;
  try {
    result = access.processes.run(command, access.cancel);
  } catch (const Error& error) {
    if (error.kind() != Kind::kTimeout) throw;
    throw Error(Kind::kTimeout, "PKCS #11: the token gave no answer in time");
  }
  if (result.exit_code != 0)
    throw refused("the module ended its process with code " + std::to_string(result.exit_code))
        .quote(core::tail_lines(result.err));
  std::vector<std::string> answer;
  try {
    SshReader reader(result.out);
    const bool good = reader.field() == kOk;
    if (!good) throw refused(core::escaped(reader.field(), 300));
    while (answer.size() < fields) answer.emplace_back(reader.field());
    reader.end();
  } catch (const Error& error) {
    if (error.reason() != Reason::kMalformed) throw;
    throw refused("an answer that is none: " + error.message()).reason(Reason::kMalformed);
  }
  return answer;
}

/// CKA_EC_POINT: an OCTET STRING in DER around the point, which some modules leave away.
std::string public_point(const Pkcs11Uri& uri, TokenKey kind, std::size_t size, const SignerAccess& access) {
  std::string point = ask(access, kPublic, kind, uri, {}, {}, 1).front();
  if (point.empty())
    throw refused("the token shows no public key for the URI")
        .hint("give its public half: key attach NAME PUB");
  const std::string der{'\x04', static_cast<char>(size)};
  if (point.size() == size + der.size() && point.starts_with(der)) point.erase(0, der.size());
  if (point.size() != size) throw refused("a public key of another length").reason(Reason::kMalformed);
  return point;
}

/// A key on a token, with the PIN that opens it.
class TokenSigner {
 public:
  TokenSigner(Pkcs11Uri uri, TokenKey kind, SignerAccess access)
      : uri_(std::move(uri)), kind_(kind), access_(std::move(access)) {
    const std::vector<std::string> facts = ask(access_, kLook, kind_, uri_, {}, {}, 2);
    if (facts[1] == kYes) {
      const auto source =
          uri_.pin_file().empty() ? access_.pin() : passphrase_from_file(uri_.pin_file(), access_.cancel);
      std::optional<SecretBytes> pin =
          source->ask(PassphraseUse::kOpen, "the token " + core::escaped(facts[0], 80));
      if (!pin || pin->empty()) throw Error(Kind::kUsage, "the token asks for a PIN");
      pin_ = std::move(*pin);
    }
    ask(access_, kSign, kind_, uri_, pin_, {}, 1);
  }

  std::string sign(std::string_view message) const {
    return ask(access_, kSign, kind_, uri_, pin_, message, 1).front();
  }

 private:
  Pkcs11Uri uri_;
  TokenKey kind_;
  SignerAccess access_;
  SecretBytes pin_;
};

class Pkcs11Signer : public RawSigner {
 public:
  Pkcs11Signer(const Pkcs11Uri& uri, const PublicKey& key, const SignerAccess& access)
      : key_(key), token_(std::make_shared<TokenSigner>(uri, TokenKey::kEd25519, access)) {}
  const PublicKey& public_key() const override { return key_; }

  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const override {
    const std::string raw = token_->sign(text_of(message));
    Ed25519Signature signature{};
    if (raw.size() != signature.size())
      throw refused("a signature of another length").reason(Reason::kMalformed);
    std::copy(raw.begin(), raw.end(), signature.begin());
    return signature;
  }

 private:
  PublicKey key_;
  std::shared_ptr<const TokenSigner> token_;
};

class Pkcs11P256Signer : public P256Signer {
 public:
  Pkcs11P256Signer(const Pkcs11Uri& uri, const P256PublicKey& key, const SignerAccess& access)
      : key_(key), token_(std::make_shared<TokenSigner>(uri, TokenKey::kP256, access)) {}
  P256PublicKey public_key() const override { return key_; }

 protected:
  std::vector<std::uint8_t> sign_unverified(std::string_view message) const override {
    const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, message);
    const std::string raw = token_->sign(text_of(digest.bytes()));
    constexpr std::size_t kHalf = 32;
    if (raw.size() != 2 * kHalf) throw refused("a signature of another length").reason(Reason::kMalformed);
    return ecdsa_der(bytes_of(raw).first(kHalf), bytes_of(raw).last(kHalf));
  }

 private:
  P256PublicKey key_;
  std::shared_ptr<const TokenSigner> token_;
};

SecretBytes read_question() {
  SecretBytes bytes(64 << 10);
  std::size_t size = 0;
  while (size < kMaxQuestion) {
    if (size == bytes.size()) {
      SecretBytes larger(2 * size);
      std::copy_n(bytes.data(), size, larger.data());
      bytes = std::move(larger);
    }
    const ssize_t n = ::read(STDIN_FILENO, bytes.data() + size, bytes.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    size += static_cast<std::size_t>(n);
  }
  bytes.truncate(size);
  return bytes;
}

std::string answer_to(const SecretBytes& question) {
  SshReader reader(question.view());
  const std::string_view what = reader.field();
  const TokenKey kind = reader.field() == name_of(TokenKey::kEd25519) ? TokenKey::kEd25519 : TokenKey::kP256;
  const Pkcs11Uri uri = Pkcs11Uri::parse(reader.field());
  const SecretBytes pin(reader.field());
  const std::string_view message = reader.field();
  reader.end();
  if (what == kSign) return ssh_field(kOk) + ssh_field(sign_by_token(uri, kind, pin, message));
  if (what == kPublic) return ssh_field(kOk) + ssh_field(public_point_of_token(uri, kind));
  const TokenFacts facts = look_at_token(uri);
  return ssh_field(kOk) + ssh_field(facts.label) + ssh_field(facts.needs_pin ? kYes : "no");
}

}  // namespace

int run_pkcs11_child() {
  // It ends with whoever asks, and leaves no core file with a PIN in it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{};
  ::setrlimit(RLIMIT_CORE, &none);
  // What the module prints is no answer.
  const core::Fd out(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  std::string answer;
  try {
    answer = answer_to(read_question());
  } catch (const Error& error) {
    answer = ssh_field("error") + ssh_field(error.message());
  }
  core::write_all(out.get(), answer, "answer");
  ::_exit(0);  // nothing of the module's runs after the answer
}

Ed25519Public pkcs11_public_key(const Pkcs11Uri& uri, const SignerAccess& access) {
  Ed25519Public key{};
  const std::string point = public_point(uri, TokenKey::kEd25519, key.size(), access);
  std::copy(point.begin(), point.end(), key.begin());
  return key;
}

P256PublicKey pkcs11_p256_public_key(const Pkcs11Uri& uri, const SignerAccess& access) {
  return P256PublicKey::from_point(bytes_of(public_point(uri, TokenKey::kP256, kP256PointSize, access)));
}

std::unique_ptr<RawSigner> pkcs11_signer(const Pkcs11Uri& uri, const PublicKey& key,
                                         const SignerAccess& access) {
  return std::make_unique<Pkcs11Signer>(uri, key, access);
}

std::unique_ptr<P256Signer> pkcs11_p256_signer(const Pkcs11Uri& uri, const P256PublicKey& key,
                                               const SignerAccess& access) {
  return std::make_unique<Pkcs11P256Signer>(uri, key, access);
}

}  // namespace imgforge::signing
