#include "signing/signers/signer_file.hpp"

#include <cstdlib>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/keys/private_file.hpp"
#include "signing/minisign/signer.hpp"
#include "signing/signers/agent_signer.hpp"
#include "signing/signers/command_signer.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Json;
constexpr std::size_t kMaxFile = 16 << 10;

Error malformed(const std::string& why) {
  return std::move(
      Error(core::Kind::kSignature, "malformed signer: " + why).reason(core::Reason::kMalformed));
}

std::shared_ptr<const RawSigner> signer_of(const SignerFile& signer, const PublicKey& key,
                                           core::ProcessRunner& processes, const core::CancelToken& cancel) {
  if (signer.kind == SignerFile::Kind::kCommand)
    return command_signer(signer.command, key, processes, cancel);
  const char* socket = std::getenv("SSH_AUTH_SOCK");
  return agent_signer(socket == nullptr ? "" : socket, key, cancel);
}

}  // namespace

SignerFile SignerFile::parse(std::string_view text) {
  try {
    const Json json = core::parse_json(text, "signer", {.bytes = kMaxFile, .depth = 3});
    if (!json.is_object() || json.size() != 2 || json.at("imgforge_signer") != 1)
      throw malformed("imgforge_signer: 1 and either agent or command are expected");
    SignerFile file;
    if (json.contains("agent")) {
      if (json.at("agent") != true) throw malformed("agent is true, or not there");
      return file;
    }
    file.kind = Kind::kCommand;
    file.command = json.at("command").get<std::vector<std::string>>();
    if (file.command.empty() || file.command.front().empty()) throw malformed("a command without a program");
    return file;
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  } catch (const Error& error) {
    if (error.reason() != core::Reason::kNone) throw;
    throw malformed(error.message());
  }
}

std::string SignerFile::text() const {
  return kind == Kind::kAgent ? core::print_json({{"imgforge_signer", 1}, {"agent", true}})
                              : core::print_json({{"imgforge_signer", 1}, {"command", command}});
}

std::shared_ptr<const RawSigner> load_signer(const std::filesystem::path& file,
                                             core::ProcessRunner& processes,
                                             const core::CancelToken& cancel) {
  const SecretBytes text = read_private_file(file, "signer", kMaxFile);
  return core::while_doing("loading the signer " + core::escaped(file.native()), [&] {
    std::filesystem::path public_half = file;
    return signer_of(SignerFile::parse(text.view()), load_public_key(public_half.replace_extension(".pub")),
                     processes, cancel);
  });
}

void create_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                   const SignerFile& signer, const PublicKey& key, core::ProcessRunner& processes,
                   const core::CancelToken& cancel) {
  refuse_taken(file);
  refuse_taken(public_half);
  const Signer trial(signer_of(signer, key, processes, cancel), core::UnixTime{});
  trial.sign("trial", "is this the key that it should be?");
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) throw core::system_error(error.value(), "cannot create folder", file.parent_path().native());
  const auto write = [](core::NewFile& out, const std::string& text) {
    write_durably(out, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  core::NewFile signer_file = new_file(file, 0600);
  core::NewFile public_file = new_file(public_half, 0644);
  write(signer_file, signer.text());
  write(public_file, key.file_text());
  signer_file.keep();
  public_file.keep();
}

}  // namespace imgforge::signing
