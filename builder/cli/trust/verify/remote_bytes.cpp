#include "builder/cli/trust/verify/remote_bytes.hpp"

#include "core/error.hpp"

namespace imgforge::cli {
namespace {

using artifacts::CheckRow;
using core::Error;
using core::Kind;
using core::Reason;

/// Hashes a body as it comes.
class HashSink : public fetch::Sink {
 public:
  void restart() override {
    sha256_ = core::Hasher(core::HashAlgorithm::kSha256);
    sha512_ = core::Hasher(core::HashAlgorithm::kSha512);
  }
  void write(std::span<const std::byte> data) override {
    sha256_.update(data);
    sha512_.update(data);
  }
  core::Digest sha256() { return sha256_.finish(); }
  core::Digest sha512() { return sha512_.finish(); }

 private:
  core::Hasher sha256_{core::HashAlgorithm::kSha256};
  core::Hasher sha512_{core::HashAlgorithm::kSha512};
};

/// The failure as an error with its reason.
Error refusal(const fetch::Failure& failure) {
  if (failure.absent)
    return std::move(Error(Kind::kIntegrity, "missing: " + failure.error.message()).reason(Reason::kMissing));
  Error error = failure.error;
  if (error.kind() == Kind::kUnsafe || error.kind() == Kind::kIntegrity) error.reason(Reason::kSizeMismatch);
  return error;
}

}  // namespace

std::unique_ptr<fetch::Http> remote_http(Context& context) {
  fetch::HttpOptions options;
  options.user_agent = "imgforge/" IMGFORGE_VERSION;
  options.credentials = std::make_shared<fetch::Credentials>(fetch::credentials_from_environment());
  return fetch::make_http(options, context.cancel);
}

CheckRow check_remote(fetch::Http& http, const RemoteFile& file) {
  CheckRow row{file.name, "digest", false, {}, {}, {}};
  HashSink sink;
  fetch::Request request;
  request.url = file.url;
  request.limit = file.size;
  request.size = file.size;
  try {
    const std::vector<fetch::Result> results = http.run({{request, &sink}}, 1);
    if (const auto* failure = std::get_if<fetch::Failure>(&results.front())) throw refusal(*failure);
    const core::Digest found = sink.sha256();
    if (found != file.sha256)
      throw Error(Kind::kIntegrity, "sha256 is " + found.hex() + ", the manifest says " + file.sha256.hex())
          .reason(Reason::kDigestMismatch);
    if (file.sha512 && sink.sha512() != *file.sha512)
      throw Error(Kind::kIntegrity, "sha512 differs from the manifest").reason(Reason::kDigestMismatch);
    row.ok = true;
    row.detail = "sha256:" + found.hex();
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted || error.kind() == Kind::kFetch) throw;
    row.fail(error);
  }
  return row;
}

}  // namespace imgforge::cli
