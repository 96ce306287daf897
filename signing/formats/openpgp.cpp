#include "signing/formats/openpgp.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "signing/formats/openpgp_armor.hpp"
#include "signing/primitives/bytes.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;
using core::Reason;

constexpr std::size_t kMaxStatus = 64 << 10;
constexpr std::string_view kPrefix = "[GNUPG:] ";
/// Hash algorithms by their number (RFC 4880, 9.4; RFC 9580 for SHA-3).
constexpr std::array kGoodHashes{"8", "9", "10", "11", "12", "14"};

Error refused(const std::string& why, Reason reason) {
  return std::move(Error(Kind::kSignature, "OpenPGP signature: " + why).reason(reason));
}

std::string upper_hex(std::span<const std::uint8_t> bytes) {
  std::string text = core::to_hex(bytes);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

/// RFC 4880, 12.2.
std::string fingerprint_of(std::string_view key) {
  std::string text("\x99");
  text += static_cast<char>(key.size() >> 8);
  text += static_cast<char>(key.size() & 0xff);
  text += key;
  return upper_hex(core::digest_of(core::HashAlgorithm::kSha1, text).bytes());
}

/// The lines of the status by their keyword, without what only informs.
class Status {
 public:
  explicit Status(std::string_view text) {
    for (const std::string& line : core::split(text, '\n')) {
      if (line.starts_with(kPrefix)) lines_.push_back(core::split(line.substr(kPrefix.size()), ' '));
    }
  }
  std::vector<std::vector<std::string>> all(std::string_view keyword) const {
    std::vector<std::vector<std::string>> found;
    std::copy_if(lines_.begin(), lines_.end(), std::back_inserter(found),
                 [&](const auto& words) { return words.front() == keyword; });
    return found;
  }
  bool has(std::string_view keyword) const { return !all(keyword).empty(); }

 private:
  std::vector<std::vector<std::string>> lines_;
};

/// What a signature that gpgv could not check lacks.
Error unchecked(const std::vector<std::string>& line) {
  constexpr std::size_t kWhy = 6;
  const std::string why = line.size() > kWhy ? line[kWhy] : "";
  if (why == "9") return refused("no trusted OpenPGP key made it", Reason::kUnknownKey);
  if (why == "5") return refused("its digest is too weak to count", Reason::kBadSignature);
  return refused("gpgv cannot check it: error " + core::escaped(why, 20), Reason::kBadSignature);
}

}  // namespace

OpenPgpKeyring OpenPgpKeyring::parse(std::string_view file) {
  constexpr char kVersion = 4;
  OpenPgpKeyring keyring;
  keyring.bytes =
      file.starts_with("-----") ? openpgp_unarmoured(file, "PUBLIC KEY BLOCK") : std::string(file);
  for (const OpenPgpPacket& packet : openpgp_packets(keyring.bytes)) {
    if (packet.tag == kOpenPgpSecretKeyTag || packet.tag == kOpenPgpSecretSubkeyTag)
      throw refused("a keyring with secret keys is none to trust", Reason::kMalformed);
    if (packet.tag == kOpenPgpPublicKeyTag) {
      if (!packet.body.starts_with(kVersion) || packet.body.size() > 0xffff)
        throw refused("a key of another version than 4", Reason::kMalformed);
      keyring.fingerprints.push_back(fingerprint_of(packet.body));
    } else if (keyring.fingerprints.empty()) {
      throw refused("a keyring begins with a public key", Reason::kMalformed);
    }
  }
  if (keyring.fingerprints.empty()) throw refused("a keyring without key", Reason::kMalformed);
  return keyring;
}

std::string openpgp_verdict(std::string_view text) {
  const Status status(text);
  if (status.all("NEWSIG").size() > 1 || status.all("VALIDSIG").size() > 1)
    throw refused("there are several", Reason::kMalformed);
  if (status.has("BADSIG")) throw refused("the file or its signature was changed", Reason::kBadSignature);
  if (const auto errors = status.all("ERRSIG"); !errors.empty()) throw unchecked(errors.front());
  if (status.has("REVKEYSIG")) throw refused("its key was revoked", Reason::kRevokedKey);
  if (status.has("EXPKEYSIG")) throw refused("its key has expired", Reason::kExpired);
  if (status.has("EXPSIG")) throw refused("it has expired", Reason::kExpired);
  const auto valid = status.all("VALIDSIG");
  if (valid.empty() || !status.has("NEWSIG") || status.all("GOODSIG").size() != 1 || status.has("NODATA") ||
      status.has("FAILURE") || status.has("ERROR"))
    throw refused("gpgv found none", Reason::kMalformed);
  constexpr std::size_t kHash = 8, kClass = 9, kPrimary = 10, kFields = 11, kFingerprint = 40;
  const std::vector<std::string>& fields = valid.front();
  if (fields.size() != kFields || fields[kPrimary].size() != kFingerprint)
    throw refused("gpgv says what nobody knows", Reason::kMalformed);
  if (std::find(kGoodHashes.begin(), kGoodHashes.end(), fields[kHash]) == kGoodHashes.end())
    throw refused("its digest is too weak to count", Reason::kBadSignature);
  if (fields[kClass] != "00") throw refused("it is not over a file as it is", Reason::kMalformed);
  return fields[kPrimary];
}

std::string openpgp_verify(std::string_view signature, std::string_view message,
                           const std::vector<OpenPgpKeyring>& trusted, core::ProcessRunner& processes,
                           const core::CancelToken& cancel) {
  if (signature.size() > kMaxOpenPgpSignature) throw refused("it is too long", Reason::kMalformed);
  const std::string bytes = openpgp_unarmoured(signature, "SIGNATURE");
  const std::vector<OpenPgpPacket> packets = openpgp_packets(bytes);
  if (packets.size() != 1 || packets.front().tag != kOpenPgpSignatureTag)
    throw refused(packets.size() > 1 ? "there are several" : "it is something else", Reason::kMalformed);
  if (trusted.empty()) throw refused("no OpenPGP key is trusted here", Reason::kUnknownKey);

  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-gpgv");
  const std::filesystem::path signature_file = folder / "signature";
  const std::filesystem::path message_file = folder / "message";
  const std::filesystem::path home = folder / "home";
  std::filesystem::create_directory(home);
  std::filesystem::permissions(home, std::filesystem::perms::owner_all);
  core::write_file_atomically(signature_file, bytes);
  core::write_file_atomically(message_file, message);
  core::Command command;
  command.program = "gpgv";
  command.args = {"--status-fd", "1", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160"};
  for (std::size_t number = 0; number < trusted.size(); ++number) {
    const std::filesystem::path file = folder / ("keyring" + std::to_string(number));
    core::write_file_atomically(file, trusted[number].bytes);
    command.args.insert(command.args.end(), {"--keyring", file.native()});
  }
  command.args.insert(command.args.end(), {"--", signature_file.native(), message_file.native()});
  command.environment["GNUPGHOME"] = home.native();
  command.timeout = std::chrono::seconds(30);
  command.output_limit = kMaxStatus;
  const core::ProcessResult result = processes.run(command, cancel);
  if (result.out.size() >= kMaxStatus) throw refused("gpgv says too much", Reason::kMalformed);
  const std::string fingerprint = openpgp_verdict(result.out);
  if (result.exit_code != 0)
    throw refused("gpgv refuses it", Reason::kBadSignature).quote(core::tail_lines(result.err));
  const bool known = std::any_of(trusted.begin(), trusted.end(), [&](const OpenPgpKeyring& keyring) {
    return std::find(keyring.fingerprints.begin(), keyring.fingerprints.end(), fingerprint) !=
           keyring.fingerprints.end();
  });
  if (!known) throw refused("no trusted OpenPGP key made it", Reason::kUnknownKey);
  return fingerprint;
}

}  // namespace imgforge::signing
