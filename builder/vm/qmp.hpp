// A client of QEMU's monitor (QEMU Machine Protocol, docs/interop/qmp-spec): version of the running QEMU and
// pictures of its screen. It speaks over a socket in a private folder, never over a TCP port.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/cancel.hpp"
#include "core/fd.hpp"
#include "core/json_fwd.hpp"

namespace imgforge::vm {

class Qmp {
 public:
  /// Connects to the socket `name` in `folder` and reads the greeting; nothing when nobody listens (yet, or
  /// any more). Throws kBoot when QEMU accepts and then stays silent.
  static std::optional<Qmp> connect(const std::filesystem::path& folder, const std::string& name,
                                    const core::CancelToken& cancel);

  /// Of the running QEMU: "7.2.18 (Debian 1:7.2+dfsg-7+deb12u18)".
  const std::string& version() const { return version_; }
  /// Runs a command and returns what it gives. Throws kBoot when QEMU refuses it or ends, kTimeout
  /// when it stays silent.
  core::Json execute(const std::string& command, const core::Json& arguments,
                     const core::CancelToken& cancel);

 private:
  Qmp(core::Fd socket, const core::CancelToken& cancel);
  core::Json message(const core::CancelToken& cancel);
  core::Fd socket_;
  std::string received_;
  std::string version_;
};

}  // namespace imgforge::vm
