// Bytes of others' servers, checked as they come and kept nowhere.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "artifacts/check/release_check.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/fetch/http/http.hpp"
#include "core/digest.hpp"

namespace imgforge::cli {

/// With the credentials of the environment, and one attempt more where a fault may pass.
std::unique_ptr<fetch::Http> remote_http(Context& context);

/// What a file on a server must be.
struct RemoteFile {
  std::string name;  ///< for the row
  std::string url;
  std::uint64_t size = 0;
  core::Digest sha256;
  std::optional<core::Digest> sha512;  ///< nothing: not promised
};

/// The row "digest" of one file. Throws kFetch when the server cannot be asked; a file that is not there is a
/// failed row.
artifacts::CheckRow check_remote(fetch::Http& http, const RemoteFile& file);

}  // namespace imgforge::cli
