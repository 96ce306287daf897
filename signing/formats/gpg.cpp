#include "signing/formats/gpg.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

/// What gpg and its agent need to know of the user's session.
constexpr const char* kVariables[] = {"GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY",
                                      "XDG_RUNTIME_DIR"};

/// Fingerprints of primary keys in the output of --with-colons (doc/DETAILS of GnuPG).
std::vector<std::string> fingerprints_in(const std::string& listing) {
  std::vector<std::string> found;
  bool is_primary = false;
  for (const std::string& line : core::split(listing, '\n')) {
    const std::vector<std::string> fields = core::split(line, ':');
    if (fields.front() == "sec") is_primary = true;
    if (fields.front() == "ssb") is_primary = false;
    if (fields.front() == "fpr" && is_primary && fields.size() > 9) {
      found.push_back(fields[9]);
      is_primary = false;
    }
  }
  return found;
}

}  // namespace

GpgSigner::GpgSigner(const std::string& id, std::optional<std::int64_t> time, core::ProcessRunner& processes,
                     const core::CancelToken& cancel)
    : time_(time), processes_(processes), cancel_(cancel) {
  if (id.empty() || id.starts_with('-'))
    throw Error(Kind::kUsage, "\"" + core::escaped(id) + "\" is no name of a GPG key");
  const core::ProcessResult result =
      run({"--with-colons", "--fingerprint", "--list-secret-keys", "--", id}, "");
  const std::vector<std::string> found = fingerprints_in(result.out);
  if (found.size() != 1) {
    throw Error(Kind::kSignature,
                fmt::format("gpg knows {} secret keys \"{}\"",
                            found.empty() ? "no" : std::to_string(found.size()), core::escaped(id)))
        .hint("gpg --list-secret-keys lists them; give a fingerprint");
  }
  fingerprint_ = found.front();
}

core::ProcessResult GpgSigner::run(std::vector<std::string> args, std::string_view input) {
  core::Command command;
  command.program = "gpg";
  command.args = {"--batch", "--status-fd", "2"};
  command.args.insert(command.args.end(), args.begin(), args.end());
  command.input = input;
  command.output_limit = std::size_t{64} << 20;
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name)) command.environment[name] = value;
  }
  return processes_.run(command, cancel_);
}

std::string GpgSigner::public_key() {
  const core::ProcessResult result =
      run({"--armor", "--export-options", "export-minimal", "--export", "--", fingerprint_}, "");
  if (result.exit_code != 0 || result.out.empty())
    throw Error(Kind::kSignature, "gpg cannot export the key " + fingerprint_)
        .quote(core::tail_lines(result.err));
  return result.out;
}

std::string GpgSigner::sign(const char* how, std::string_view text) {
  std::vector<std::string> args{"--armor", "--local-user", fingerprint_};
  if (time_) args.insert(args.end(), {"--faked-system-time", std::to_string(*time_) + "!"});
  args.insert(args.end(), {"--output", "-", how});
  const core::ProcessResult result = run(std::move(args), text);
  if (result.exit_code != 0 || result.err.find("[GNUPG:] SIG_CREATED") == std::string::npos) {
    throw Error(Kind::kSignature, "gpg did not sign with the key " + fingerprint_)
        .quote(core::tail_lines(result.err))
        .hint(
            "does gpg --clearsign work in this terminal? GPG_TTY=$(tty) lets its agent ask for a passphrase");
  }
  return result.out;
}

std::string GpgSigner::detach_sign(std::string_view text) {
  return sign("--detach-sign", text);
}

std::string GpgSigner::clear_sign(std::string_view text) {
  return sign("--clearsign", text);
}

}  // namespace imgforge::signing
