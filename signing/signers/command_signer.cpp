#include "signing/signers/command_signer.hpp"

#include <algorithm>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

class CommandSigner : public RawSigner {
 public:
  CommandSigner(std::vector<std::string> words, const PublicKey& key, core::ProcessRunner& processes,
                const core::CancelToken& cancel, std::chrono::milliseconds patience)
      : words_(std::move(words)), key_(key), processes_(processes), cancel_(cancel), patience_(patience) {}
  const PublicKey& public_key() const override { return key_; }

  Ed25519Signature sign_raw(std::span<const std::uint8_t> message) const override {
    core::Command command;
    command.program = words_.front();
    command.args.assign(words_.begin() + 1, words_.end());
    command.environment["IMGFORGE_PUBLIC_KEY"] = key_.line();
    command.input.assign(reinterpret_cast<const char*>(message.data()), message.size());
    command.timeout = patience_;
    command.output_limit = 4096;
    const core::ProcessResult result = processes_.check(command, cancel_, Kind::kSignature);
    Ed25519Signature signature{};
    std::vector<std::uint8_t> raw;
    try {
      raw = core::from_base64(core::trimmed(result.out));
    } catch (const Error&) {
      raw.clear();
    }
    if (raw.size() != signature.size())
      throw Error(Kind::kSignature, core::escaped(words_.front(), 120) +
                                        " printed no signature: 64 bytes in base64 are "
                                        "expected")
          .reason(core::Reason::kMalformed);
    std::copy(raw.begin(), raw.end(), signature.begin());
    return signature;
  }

 private:
  std::vector<std::string> words_;
  PublicKey key_;
  core::ProcessRunner& processes_;
  core::CancelToken cancel_;
  std::chrono::milliseconds patience_;
};

}  // namespace

std::unique_ptr<RawSigner> command_signer(std::vector<std::string> words, const PublicKey& key,
                                          core::ProcessRunner& processes, const core::CancelToken& cancel,
                                          std::chrono::milliseconds patience) {
  return std::make_unique<CommandSigner>(std::move(words), key, processes, cancel, patience);
}

}  // namespace imgforge::signing
