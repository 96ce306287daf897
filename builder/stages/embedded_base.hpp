// The base that needs no network: the host's static busybox as init and userland, the host's Debian kernel
// and the modules that virtual machines and common disks need. It boots to a log-in prompt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "artifacts/blobs/digest_memory.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::stages {

/// The files of this host that the base is made of.
struct EmbeddedSource {
  std::filesystem::path busybox;
  std::filesystem::path kernel;
  std::filesystem::path config;      ///< kernel configuration; may be empty
  std::string release;               ///< "6.1.0-56-cloud-amd64"
  std::vector<std::string> modules;  ///< below lib/modules/<release>, dependencies first
  std::string modules_dep;           ///< modules.dep of just these modules
  std::int64_t newest = 0;           ///< newest modification time of the packaged inputs
};

/// Looks for the newest readable kernel of /boot that has modules, and a static busybox. kMachine otherwise.
EmbeddedSource find_embedded_source();

/// What the base's bytes depend on, for its fingerprint: release and digests of all inputs.
std::map<std::string, std::string> embedded_identity(const EmbeddedSource& source,
                                                     artifacts::DigestMemory& memory);

/// Writes the base as a tar to the new file `target`. Equal sources give equal bytes.
void write_embedded_base(const EmbeddedSource& source, const std::filesystem::path& target,
                         core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::stages
